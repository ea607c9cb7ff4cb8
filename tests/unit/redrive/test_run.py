"""One run at a time, and none sends what another has sent, wherever that one broke off. On a broker in memory."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.unit.redrive.messages import STREAM, as_original, rejected, row

from driftloop.adapters.kafka_producer import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.events import RedriveStarted
from driftloop.contracts.redrives import redrive_of
from driftloop.errors import UserError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.redrives import Redrives
from driftloop.ports import MessageProducer
from driftloop.redrive import run as runs
from driftloop.redrive.original import Changed, Original
from driftloop.redrive.run import RECOVERED, Broker, Run, Who
from driftloop.redrive.whose import has_ended, this_machine, this_process

REQUESTS = f"{STREAM}.requests"


class Record:
    def __init__(self, broker: MemoryBroker) -> None:
        self.fold = Redrives(STREAM)
        self._reader = LogReader(broker, ("redrives",), Events(self.fold))

    def sync(self) -> None:
        self._reader.sync()


@pytest.fixture
def broker(monkeypatch) -> MemoryBroker:
    monkeypatch.setattr(runs, "SETTLE_SECONDS", 0.0)
    made = MemoryBroker()
    for topic in ("requests", "labels", "quarantine"):
        made.create_topic(f"{STREAM}.{topic}", 2)
    made.create_topic("redrives", 1)
    for _ in range(3):  # what was sent before is not looked at
        made.producer().send(REQUESTS, b"{}", partition=0)
    return made


def a_run(
    broker: MemoryBroker, name: str, ended: Callable[[str, str], bool] = lambda *_: False, producer: MessageProducer | None = None
) -> Run:
    sender = producer or broker.producer()
    publisher = Publisher(broker.producer(), source="test")
    return Run(STREAM, Who(name, f"by {name}", "mended", "m", "1"), Broker(broker, sender, publisher, Record(broker)), ended)


def messages(*numbers: int) -> list[tuple[Original, Changed]]:
    found = [as_original(rejected(row(n), at=100 + n, place=n)) for n in numbers]
    return [(one, Changed(one.value, one.key, one.headers)) for one in found]


def sent(broker: MemoryBroker) -> list[tuple[int, str]]:
    """Offset from which it was rejected, and run, of everything that was sent again."""
    said = [redrive_of(record.headers) for record in broker.records(REQUESTS)]
    return [(one.offset, one.run) for one in said if one is not None]


def known(broker: MemoryBroker) -> Redrives:
    record = Record(broker)
    record.sync()
    return record.fold


def test_a_message_goes_where_it_came_from_with_who_and_why(broker: MemoryBroker) -> None:
    run = a_run(broker, "a")
    assert run.begin() == frozenset()
    (done,) = run.send("as it was", messages(1))
    run.end(whole=True)

    (message,) = [record for record in broker.records(REQUESTS) if redrive_of(record.headers)]
    said = redrive_of(message.headers)
    assert said is not None
    assert (said.topic, said.partition, said.offset, said.quarantined) == (REQUESTS, 0, 101, "0:1")
    assert (said.run, said.by, said.why, said.change) == ("a", "by a", "mended", "as it was")
    assert (done.new_partition, done.new_offset) == (message.partition, message.offset) == (0, 3)
    (recorded,) = known(broker).sent(done.id)
    assert (recorded.by, recorded.why, recorded.message) == ("by a", "mended", done)
    assert known(broker).holder is None


def test_a_second_run_is_refused_while_one_holds_the_stream(broker: MemoryBroker) -> None:
    first, second = a_run(broker, "a"), a_run(broker, "b")
    first.begin()
    with pytest.raises(UserError, match="by a is at it since"):
        second.begin()
    first.send("as it was", messages(1))
    first.end(whole=True)
    second.begin()
    assert sent(broker) == [(101, "a")]


def test_of_two_that_begin_at_the_same_moment_one_sends(broker: MemoryBroker, monkeypatch) -> None:
    first, second = a_run(broker, "a"), a_run(broker, "b")
    monkeypatch.setattr(runs, "crash_point", lambda _: second_begins())

    def second_begins() -> None:
        monkeypatch.setattr(runs, "crash_point", lambda _: None)
        late = RedriveStarted(stream=STREAM, run="b", by="b", why="w", machine="m", process="1", reach=())
        Publisher(broker.producer(), source="test").publish("redrives", late, key=STREAM, id="late")

    first.begin()
    assert known(broker).holder is not None
    first.send("as it was", messages(1))
    with pytest.raises(UserError, match="by a is at it"):
        second.begin()


class Dies(Exception):
    pass


def broken_off(broker: MemoryBroker, monkeypatch, point: str, *numbers: int) -> None:
    """A run that ends at a point as by kill -9."""

    def crash(name: str) -> None:
        if name == point:
            raise Dies

    monkeypatch.setattr(runs, "crash_point", crash)
    run = a_run(broker, "a")
    with pytest.raises(Dies):
        run.begin()
        run.send("as it was", messages(*numbers))
    monkeypatch.setattr(runs, "crash_point", lambda _: None)


@pytest.mark.parametrize(
    ("point", "found"),
    [("redrive.after-start", 0), ("redrive.before-send", 0), ("redrive.after-send", 2), ("redrive.after-record", 2)],
)
def test_what_a_run_had_sent_when_it_broke_off_is_found_and_not_sent_again(
    broker: MemoryBroker, monkeypatch, point: str, found: int
) -> None:
    broken_off(broker, monkeypatch, point, 1, 2)
    run = a_run(broker, "b", ended=lambda *_: True)
    recovered = run.begin()
    assert len(recovered) == found
    lacking = [pair for pair in messages(1, 2, 3) if not known(broker).sent(pair[0].id)]
    run.send("as it was", lacking)
    run.end(whole=True)
    assert sorted(offset for offset, _ in sent(broker)) == [101, 102, 103]
    if point == "redrive.after-send":
        assert {known(broker).sent(one)[0].change for one in recovered} == {RECOVERED}
        assert {known(broker).sent(one)[0].by for one in recovered} == {"by a"}


def test_a_run_that_may_still_be_there_is_only_taken_over_by_who_says_so(broker: MemoryBroker, monkeypatch) -> None:
    broken_off(broker, monkeypatch, "redrive.after-send", 1)
    with pytest.raises(UserError, match="--take-over"):
        a_run(broker, "b").begin()
    assert len(a_run(broker, "c").begin(take_over=True)) == 1


def test_a_run_that_was_taken_over_sends_nothing_more(broker: MemoryBroker) -> None:
    slow, other = a_run(broker, "a"), a_run(broker, "b")
    slow.begin()
    other.begin(take_over=True)
    with pytest.raises(UserError, match="by b is at it"):
        slow.send("as it was", messages(1))
    assert sent(broker) == []
    slow.end(whole=False)  # ends nobody else's
    assert known(broker).holder is not None


def test_what_lacks_on_the_record_is_looked_for_as_long_as_no_run_ended_whole(broker: MemoryBroker, monkeypatch) -> None:
    broken_off(broker, monkeypatch, "redrive.after-send", 1)
    second = a_run(broker, "b", ended=lambda *_: True)
    second.begin()
    second.end(whole=False)
    assert set(known(broker).unfinished) == {"a", "b"}
    third = a_run(broker, "c")
    third.begin()
    third.end(whole=True)
    assert known(broker).unfinished == {}


def test_a_topic_that_has_fewer_partitions_than_before_takes_the_message_all_the_same(broker: MemoryBroker) -> None:
    run = a_run(broker, "a")
    run.begin()
    original, changed = messages(1)[0]
    (done,) = run.send("as it was", [(original._replace(partition=7), changed)])
    assert done.partition == 7
    assert done.new_partition in (0, 1)


def test_a_stored_record_is_the_record(broker: MemoryBroker) -> None:
    run = a_run(broker, "a")
    run.begin()
    (done,) = run.send("as it was", messages(1))
    fold, again = known(broker), Redrives(STREAM)
    again.restore(fold.stored())
    assert (again.holder, again.unfinished, again.sent(done.id)) == (fold.holder, fold.unfinished, fold.sent(done.id))
    with pytest.raises(ValueError, match="it is the fold of s"):
        Redrives("other").restore(fold.stored())


def test_whether_a_process_has_ended_is_known_of_this_machine_alone() -> None:
    machine = this_machine()
    assert not has_ended(machine, this_process())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert has_ended(machine, f"{ended.pid}:1")
    assert not has_ended("another", f"{ended.pid}:1")
    assert has_ended(machine, f"{os.getpid()}:1")  # its number was given out again
    for nonsense in ("", "x", "0:1", "-1:1"):
        assert not has_ended(machine, nonsense)
