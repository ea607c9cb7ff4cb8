"""Partitions come and go while records of theirs are in hand: nobody handles what is no longer, or not yet, theirs to handle."""

import threading
import time
from collections.abc import Mapping, Sequence

from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.service.test_event_worker import TP, Scene

from driftloop.adapters.memory import MemoryBroker
from driftloop.ports import Record, TopicPartition
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class Starts:
    """Keeps ``PartitionHandler``; notes what it is given, and where each partition was begun."""

    def __init__(self) -> None:
        self.starts = {FIRST: 0, SECOND: 0}
        self.taken: list[tuple[TopicPartition, int]] = []
        self.on_first = lambda: None

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {tp: self.starts[tp] for tp in tps}

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        if tp == FIRST:
            self.on_first()
        self.taken += [(tp, record.offset) for record in records]

    def on_tick(self) -> None: ...

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None: ...

    def durable_offsets(self) -> Mapping[TopicPartition, int]:
        return {}

    def full(self) -> bool:
        return False

    def drain(self) -> None: ...


def test_records_in_hand_of_a_partition_that_waits_for_its_place_are_dropped() -> None:
    """As when ingest is fenced: the second partition turns out to be somebody else's while the first one's records are handled."""
    broker, handler, stop = MemoryBroker(), Starts(), Stop()
    broker.create_topic("t", 2)
    worker = PartitionWorker(handler, stop=stop)
    consumer = broker.consumer(group="g", topics=["t"], listener=worker)
    for tp in (FIRST, SECOND):
        for _ in range(5):
            broker.producer().send("t", b"x", partition=tp.partition)

    def fenced() -> None:
        handler.on_first = lambda: None
        handler.starts[SECOND] = 3  # the table of the one who moved the cursor says so
        worker.reseek(frozenset({SECOND}))

    handler.on_first = fenced
    thread = threading.Thread(target=worker.run, args=(consumer,))
    thread.start()
    try:
        wait_until(lambda: (SECOND, 4) in handler.taken, "the last record of the second partition")
    finally:
        stop.request()
        thread.join(PATIENCE_SECONDS)

    assert [offset for tp, offset in handler.taken if tp == FIRST] == [0, 1, 2, 3, 4]
    assert [offset for tp, offset in handler.taken if tp == SECOND] == [3, 4]


def test_events_in_hand_of_a_partition_that_was_given_away_are_left_to_its_next_owner() -> None:
    handled: list[str] = []
    given_away, polls_after = threading.Event(), list[float]()

    def handle(event, about) -> None:
        handled.append(event.request_id)
        scene.consumer.pending = frozenset()  # a rebalance that takes effect at the next poll
        assert given_away.wait(PATIENCE_SECONDS)  # long work: the worker goes on polling meanwhile

    scene = Scene(handle)
    scene.publish(3)
    poll = scene.consumer.poll

    def watched(timeout_seconds: float, max_records: int = 1000):
        records = poll(timeout_seconds, max_records)
        if given_away.is_set():
            polls_after.append(time.monotonic())
        elif handled and not scene.consumer.assignment():
            given_away.set()
        return records

    scene.consumer.poll = watched  # type: ignore[method-assign]
    scene.run_until(lambda: len(polls_after) > 1)

    assert handled == ["0"]
    assert scene.broker.committed.get(("g", TP)) is None


def test_offsets_of_a_partition_that_was_given_away_are_no_longer_committed() -> None:
    """Kafka refuses them, and a commit that names one of them brings none of the others either."""
    broker, stop, commits = MemoryBroker(), Stop(), list[dict[TopicPartition, int]]()
    broker.create_topic("t", 2)

    class Late(Starts):
        """Still tells how far it had come in a partition that is no longer its own."""

        def durable_offsets(self) -> Mapping[TopicPartition, int]:
            return {FIRST: len(self.taken), SECOND: 1}

    handler = Late()
    worker = PartitionWorker(handler, stop=stop, commit_every_polls=1)
    consumer = broker.consumer(group="g", topics=["t"], listener=worker)

    def commit(offsets: Mapping[TopicPartition, int]) -> None:
        assert set(offsets) <= consumer.assignment(), "a partition of somebody else's"
        commits.append(dict(offsets))

    consumer.commit = commit  # type: ignore[method-assign]
    failure: list[BaseException] = []

    def run() -> None:
        try:
            worker.run(consumer)
        except BaseException as exc:  # noqa: BLE001 - raised in the test's thread
            failure.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: any(SECOND in offsets for offsets in commits), "a commit of both partitions")
        consumer.pending = frozenset({FIRST})
        broker.producer().send("t", b"x", partition=FIRST.partition)
        wait_until(lambda: failure or commits[-1] == {FIRST: 1}, "a commit of the one that is left")
    finally:
        stop.request()
        thread.join(PATIENCE_SECONDS)
    assert failure == []
