"""Where requests end is asked when a range goes beyond what is known, once for all that was read together."""

import time
from collections.abc import Mapping, Sequence

import pytest

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.headers import RequestRange
from driftloop.contracts.topics import requests
from driftloop.errors import InvalidMessage, TransientError
from driftloop.ports import MessageConsumer, TopicEnds, TopicInfo, TopicPartition
from driftloop.rows.request_ranges import NO_REQUESTS, check_end
from driftloop.service.topic_ends import MOST_OTHERS, AskedEnds, RequestsEnds

TOPIC = requests("shop")


class Asked(MemoryBroker):
    """A broker that remembers what it was asked, and may be away or give its topic another shape between two answers."""

    def __init__(self, partitions: int = 2) -> None:
        super().__init__()
        self.create_topic(TOPIC, partitions)
        self.questions: list[str] = []
        self.away = False
        self.after_ends = lambda: None

    def send(self, partition: int, n: int) -> None:
        for _ in range(n):
            self.producer().send(TOPIC, b"{}", partition=partition)

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        self.questions.append("describe")
        if self.away:
            raise TransientError("broker away")
        return super().describe(names)

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        return Reader(self, super().reader(tps))

    def make_anew(self, partitions: int = 2) -> None:
        self.delete_topic(TOPIC)
        self.create_topic(TOPIC, partitions)


class Reader:
    """Asks for ends alone."""

    def __init__(self, broker: Asked, inner: MessageConsumer) -> None:
        self._broker, self._inner = broker, inner

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self._broker.questions.append("ends")
        if self._broker.away:
            raise TransientError("broker away")
        found = self._inner.end_offsets(tps)
        self._broker.after_ends()
        return found

    def close(self) -> None:
        self._inner.close()


def claim(broker: Asked, end: int, partition: int = 0, *, topic_id: str | None = None) -> RequestRange:
    return RequestRange(topic_id=topic_id or broker.topic_id(TOPIC) or "", partition=partition, start=0, end=end)


class Reading:
    """Reads messages of one poll after the other, and asks for the ends that each needs."""

    def __init__(self, broker: Asked) -> None:
        self.broker, self.ends = broker, RequestsEnds(broker, "shop.requests")
        self.next_poll()

    def next_poll(self) -> None:
        self.broker.questions.clear()
        self.read_at = time.monotonic()

    def is_believed(self, claimed: RequestRange) -> bool:
        try:
            check_end(claimed, self.ends.reach(claimed, self.read_at))
        except InvalidMessage:
            return False
        return True


@pytest.fixture
def broker() -> Asked:
    return Asked()


def test_within_what_is_known_nobody_is_asked_and_beyond_it_one_call_tells_of_all_partitions(broker: Asked) -> None:
    broker.send(0, 3)
    reading = Reading(broker)
    assert reading.is_believed(claim(broker, 3))
    broker.send(0, 2)
    broker.send(1, 4)
    reading.next_poll()
    assert reading.is_believed(claim(broker, 2))
    assert reading.is_believed(claim(broker, 3))
    assert broker.questions == []
    assert reading.is_believed(claim(broker, 5))
    assert reading.is_believed(claim(broker, 4, 1))
    assert broker.questions == ["ends"]


def test_ranges_beyond_the_requests_are_forged_and_cost_one_question_however_many_were_read_together(broker: Asked) -> None:
    broker.send(0, 3)
    reading = Reading(broker)
    assert reading.is_believed(claim(broker, 3))
    reading.next_poll()
    assert not any(reading.is_believed(claim(broker, 4 + n, n % 2)) for n in range(100))
    assert broker.questions == ["ends", "describe", "ends", "describe"]
    broker.send(0, 1)
    reading.next_poll()
    assert reading.is_believed(claim(broker, 4))


def test_a_partition_that_the_requests_do_not_have_holds_none_until_they_have_it(broker: Asked) -> None:
    reading = Reading(broker)
    assert not reading.is_believed(claim(broker, 1, 2))
    assert reading.is_believed(claim(broker, 0, 2))
    broker.add_partitions(TOPIC, 3)
    broker.send(2, 1)
    reading.next_poll()
    assert reading.is_believed(claim(broker, 1, 2))


def test_of_requests_that_are_no_more_everything_is_believed_and_of_those_made_anew_what_is_there(broker: Asked) -> None:
    broker.send(0, 9)
    reading, before = Reading(broker), broker.topic_id(TOPIC)
    assert reading.is_believed(claim(broker, 9))
    broker.make_anew()
    broker.send(0, 1)
    reading.next_poll()
    assert reading.is_believed(claim(broker, 500, topic_id=before))
    assert reading.is_believed(claim(broker, 1))
    assert not reading.is_believed(claim(broker, 2))
    broker.delete_topic(TOPIC)
    reading.next_poll()
    assert reading.is_believed(claim(broker, 500, topic_id="of a topic that was there"))
    assert reading.ends.known == NO_REQUESTS


def test_whether_an_id_is_the_topics_is_asked_now_and_then_and_not_for_every_message(
    broker: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(broker)
    for n in range(100):
        assert reading.is_believed(claim(broker, n, topic_id="of before"))
        reading.read_at = time.monotonic()
    assert broker.questions == ["describe", "ends", "describe"]
    for n in range(2 * MOST_OTHERS):
        assert reading.is_believed(claim(broker, 1, topic_id=f"made up {n}"))
    assert len(reading.ends._others) <= MOST_OTHERS
    monkeypatch.setattr(broker, "topic_id", lambda topic: "of before")
    monkeypatch.setitem(broker._ids, TOPIC, "of before")  # as if the first answer had come from a broker that had not heard of it
    monkeypatch.setattr("driftloop.service.topic_ends.OTHERS_SECONDS", 0)
    reading.next_poll()
    assert not reading.is_believed(claim(broker, 1))


def test_ends_of_a_topic_that_was_made_anew_while_they_were_asked_for_are_not_taken_for_those_of_the_one_before(broker: Asked) -> None:
    """Rows of the topic before would be taken for forged: their requests end where the new ones do not reach."""
    broker.send(0, 9)
    reading, before = Reading(broker), broker.topic_id(TOPIC)
    assert reading.is_believed(claim(broker, 9))
    reading.next_poll()
    broker.make_anew()
    assert reading.ends._ends.look() is False
    assert reading.ends.known == TopicEnds(before or "", {0: 9, 1: 0})
    broker.after_ends = broker.make_anew
    with pytest.raises(TransientError, match="made anew"):
        AskedEnds(broker, TOPIC).ask()


def test_what_is_asked_as_of_a_time_is_asked_once_for_all_that_was_read_by_then(broker: Asked) -> None:
    broker.send(1, 2)
    reading = Reading(broker)
    expected = TopicEnds(broker.topic_id(TOPIC) or "", {0: 0, 1: 2})
    assert [reading.ends.as_of(reading.read_at) for _ in range(3)] == [expected] * 3
    assert broker.questions == ["describe", "ends", "describe"]
    broker.delete_topic(TOPIC)
    assert reading.ends.as_of(time.monotonic()) == NO_REQUESTS


def test_a_broker_that_is_away_is_asked_again(broker: Asked) -> None:
    broker.send(0, 3)
    reading = Reading(broker)
    assert reading.is_believed(claim(broker, 3))
    broker.send(0, 1)
    broker.away = True
    reading.next_poll()
    for _ in range(2):
        with pytest.raises(TransientError):
            reading.is_believed(claim(broker, 4))
    broker.away = False
    assert reading.is_believed(claim(broker, 4))
    assert not reading.is_believed(claim(broker, 5))
