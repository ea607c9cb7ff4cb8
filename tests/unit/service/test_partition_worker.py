"""The loop of the data services: seek to the state, pause instead of losing the group, commit only what is durable."""

import threading
import time
from collections.abc import Mapping, Sequence

import pytest
from prometheus_client import REGISTRY
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.memory import MemoryBroker
from driftloop.errors import GapError, TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop

TP = TopicPartition("t", 0)


class Sums:
    """A handler whose durable state is a list of values and the next offset."""

    def __init__(self) -> None:
        self.start, self.values, self.next = 0, [], 0
        self.fail = 0
        self.hold = False
        self.buffered: list[Record] = []
        self.revoked: frozenset[TopicPartition] = frozenset()
        self.drained = False
        self.poison: bytes | None = None
        self.calls = 0
        self.rejected: list[tuple[int, str]] = []
        self.positions: list[int] = []

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.fail:
            self.fail -= 1
            raise TransientError("state away")
        return dict.fromkeys(tps, self.start)

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        if self.fail:
            self.fail -= 1
            raise TransientError("store away")
        for record in records:
            if record.offset < self.next:
                continue
            self.calls += 1
            if self.poison is not None and record.value == self.poison:
                raise ZeroDivisionError("nobody foresaw this")
            self.values.append((record.offset, record.value))
            self.next = record.offset + 1

    def reject(self, tp: TopicPartition, record: Record, reason: str) -> None:
        self.rejected.append((record.offset, reason))
        self.next = record.offset + 1

    def on_position(self, tp: TopicPartition, position: int) -> None:
        self.positions.append(position)

    def on_tick(self) -> None:
        pass

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        self.revoked |= tps

    def durable_offsets(self) -> Mapping[TopicPartition, int]:
        return {TP: self.next} if self.next else {}

    def full(self) -> bool:
        return self.hold

    def drain(self) -> None:
        self.drained = True


class Scene:
    def __init__(self, handler: Sums | None = None) -> None:
        self.broker, self.handler, self.stop = MemoryBroker(), handler or Sums(), Stop()
        self.broker.create_topic("t")
        self.worker = PartitionWorker(self.handler, stop=self.stop)
        self.consumer = self.broker.consumer(group="g", topics=["t"], listener=self.worker)

    def send(self, n: int) -> None:
        for i in range(n):
            self.broker.producer().send("t", b"%d" % i, partition=0)

    def run_until(self, condition, seconds: float = PATIENCE_SECONDS) -> None:
        thread = threading.Thread(target=self.worker.run, args=(self.consumer,))
        thread.start()
        deadline = time.monotonic() + seconds
        while not condition() and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.stop.request()
        thread.join(PATIENCE_SECONDS)
        assert condition()


def test_reading_starts_where_the_durable_state_says_not_where_kafka_does() -> None:
    scene = Scene()
    scene.send(10)
    scene.broker.committed[("g", TP)] = 9
    scene.handler.start = 4
    scene.run_until(lambda: scene.handler.next == 10)
    assert [offset for offset, _ in scene.handler.values] == [4, 5, 6, 7, 8, 9]


def test_a_topic_that_has_lost_its_end_is_a_gap_and_new_records_under_the_old_offsets_are_not_taken_for_known_ones() -> None:
    scene = Scene()
    scene.send(10)
    scene.handler.start = 14  # the durable state has what the broker lost
    with pytest.raises(GapError, match=r"t-0 ends at 10, and 14 was to be read next: the topic has lost its end.* make it anew"):
        scene.worker.run(scene.consumer)
    assert scene.handler.values == []


def test_a_transient_error_repeats_the_same_records_and_loses_none() -> None:
    scene = Scene()
    scene.handler.fail = 3
    scene.send(5)
    scene.run_until(lambda: scene.handler.next == 5)
    assert [offset for offset, _ in scene.handler.values] == [0, 1, 2, 3, 4]


def test_a_full_handler_is_given_nothing_while_polling_goes_on() -> None:
    scene = Scene()
    scene.handler.hold = True
    polls = []
    poll = scene.consumer.poll

    def counted(timeout_seconds: float, max_records: int = 1000):
        polls.append(1)
        time.sleep(0.001)
        if len(polls) == 5:
            scene.send(3)
        if len(polls) == 50:
            assert scene.handler.values == []
            scene.handler.hold = False
        return poll(timeout_seconds, max_records)

    scene.consumer.poll = counted  # type: ignore[method-assign]
    scene.run_until(lambda: scene.handler.next == 3)
    assert len(polls) >= 50


def test_only_durable_offsets_are_committed_and_draining_comes_last() -> None:
    scene = Scene()
    scene.send(5)
    scene.run_until(lambda: scene.handler.next == 5)
    assert scene.broker.committed[("g", TP)] == 5
    assert scene.handler.drained


def test_the_end_of_a_partition_is_shown_beside_its_durable_offset() -> None:
    scene = Scene()
    scene.send(5)
    scene.run_until(lambda: scene.handler.next == 5)
    shown = {
        name: REGISTRY.get_sample_value(name, {"topic": "t", "partition": "0"})
        for name in ("driftloop_end_offset", "driftloop_durable_offset")
    }
    assert shown == {"driftloop_end_offset": 5, "driftloop_durable_offset": 5}


def test_a_record_that_fails_again_and_again_in_an_unforeseen_way_is_rejected_and_the_partition_goes_on() -> None:
    scene = Scene()
    scene.handler.poison = b"3"
    scene.send(6)
    scene.run_until(lambda: scene.handler.next == 6)
    assert [offset for offset, _ in scene.handler.values] == [0, 1, 2, 4, 5]
    ((offset, reason),) = scene.handler.rejected
    assert offset == 3
    assert "ZeroDivisionError: nobody foresaw this" in reason
    assert scene.broker.committed[("g", TP)] == 6


def test_offsets_without_a_record_are_told_wherever_they_lie() -> None:
    scene = Scene()
    scene.send(2)
    scene.broker.abort(TP, 100_000)
    scene.run_until(lambda: scene.handler.positions == [100_003])
    assert scene.handler.next == 2


def test_records_alone_are_no_news_about_the_position() -> None:
    scene = Scene()
    scene.send(5)
    scene.run_until(lambda: scene.handler.next == 5)
    assert scene.handler.positions == []


class Forgetful(Sums):
    """Its state is of one topic: what it is revoked it begins again."""

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        super().on_revoked(tps)
        self.next = 0


@pytest.mark.parametrize("records", [1, 4, 30], ids=["shorter than it was", "as long", "longer"])
def test_a_topic_that_is_made_anew_under_the_worker_is_read_from_where_the_handler_says(records: int) -> None:
    scene = Scene(Forgetful())
    scene.send(4)
    made_anew = threading.Event()

    def reached() -> bool:
        if scene.handler.next == 4 and not made_anew.is_set():
            made_anew.set()
            with scene.broker.lock:
                scene.broker.delete_topic(TP.topic)
                scene.broker.create_topic(TP.topic)
                scene.send(records)
        return len(scene.handler.values) >= 4 + records

    scene.run_until(reached)
    assert [offset for offset, _ in scene.handler.values] == [*range(4), *range(records)]
    assert scene.handler.revoked == {TP}


def test_records_that_a_stop_left_in_hand_are_no_offsets_without_a_record() -> None:
    """A state that took the position for theirs would account for them, and nobody would read them again."""
    scene = Scene()
    scene.send(5)
    scene.handler.start = 2

    def no_room(tp: TopicPartition, records: Sequence[Record]) -> None:
        scene.stop.request()
        raise TransientError("waits until this process has started again")

    scene.handler.on_records = no_room  # type: ignore[method-assign]
    scene.run_until(lambda: scene.handler.drained)
    assert scene.handler.positions == []
