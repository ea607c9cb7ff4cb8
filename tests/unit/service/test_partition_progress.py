"""How far a reader is, as metrics: an end that is not reached gets older, whatever the loop is at."""

import threading

from prometheus_client import REGISTRY
from tests.unit.service.event_scene import TP as EVENTS
from tests.unit.service.event_scene import Scene as EventScene
from tests.unit.service.test_partition_worker import TP, Scene

from driftloop.errors import TransientError
from driftloop.ports import TopicPartition
from driftloop.service.partition_progress import PartitionProgress
from driftloop_monitor.faust_support.shown_progress import ShownProgress

SHOWN = ("driftloop_durable_offset", "driftloop_end_offset", "driftloop_behind_seconds")


def shown(tp: TopicPartition) -> list[float | None]:
    return [REGISTRY.get_sample_value(name, {"topic": tp.topic, "partition": str(tp.partition)}) for name in SHOWN]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_partition_is_behind_from_when_its_end_moved_away_until_it_is_reached() -> None:
    clock = Clock()
    progress, tp = PartitionProgress(clock), TopicPartition("a", 0)
    progress.durable(tp, 5)
    progress.end(tp, 5)
    clock.now += 1000
    assert shown(tp) == [5, 5, 0]
    progress.end(tp, 8)
    clock.now += 30
    progress.end(tp, 9)  # more comes, and nothing is done
    assert shown(tp) == [5, 9, 30]
    progress.durable(tp, 7)
    clock.now += 2
    progress.durable(tp, 7)  # told again, and not moved
    assert shown(tp) == [7, 9, 2]
    progress.durable(tp, 9)
    assert shown(tp) == [9, 9, 0]


def test_a_partition_that_another_member_has_now_is_shown_by_it_alone() -> None:
    progress, tp = PartitionProgress(), TopicPartition("b", 3)
    progress.durable(tp, 5)
    progress.end(tp, 9)
    progress.forget([tp])
    assert shown(tp) == [None, None, None]
    progress.forget([tp])  # of one that is not its own, nothing
    progress.durable(tp, 1)  # it comes back, or is the same partition of a topic made anew
    assert shown(tp) == [1, None, 0]


def test_a_partition_whose_store_is_away_is_shown_as_behind_while_the_loop_is_stuck() -> None:
    scene = Scene()
    scene.send(5)

    def away(tp: TopicPartition, records: object) -> None:
        raise TransientError("store away")

    take_up = scene.handler.on_records

    def at_the_end_and_then_stuck() -> bool:
        if scene.handler.on_records == take_up and shown(TP) == [5, 5, 0]:
            scene.handler.on_records = away  # type: ignore[method-assign]
            scene.send(3)
        return shown(TP)[1] == 8 and (shown(TP)[2] or 0) > 0.3

    scene.run_until(at_the_end_and_then_stuck)


def test_a_revoked_partition_is_shown_no_longer() -> None:
    scene = Scene()
    scene.send(5)
    scene.run_until(lambda: scene.handler.next == 5 and shown(TP)[0] == 5)
    scene.worker.on_revoked(frozenset({TP}))
    assert shown(TP) == [None, None, None]


def test_a_worker_that_begins_at_the_end_is_not_behind() -> None:
    scene = EventScene(lambda event, about: None)
    scene.publish(3)
    scene.broker.committed[("g", EVENTS)] = 3
    scene.broker.rebalance("g")
    scene.run_until(lambda: shown(EVENTS) == [3, 3, 0])


def test_an_event_that_is_being_handled_is_behind_by_as_long_as_that_takes() -> None:
    go_on = threading.Event()
    scene = EventScene(lambda event, about: go_on.wait(30))
    scene.publish()

    def behind() -> bool:
        if (shown(EVENTS)[2] or 0) > 0.3:
            go_on.set()
        return scene.committed == 1

    scene.run_until(behind)
    assert shown(EVENTS) == [1, 1, 0]


class FaustConsumer:
    """Two partitions, one of which was just taken away."""

    def __init__(self, ends: dict[TopicPartition, int | None]) -> None:
        self.ends, self.gone = ends, set()

    def assignment(self):
        return set(self.ends)

    def highwater(self, tp):
        assert tp not in self.gone, "Partition is not assigned"
        return self.ends[tp]


class Table:
    def __init__(self, durable: int, placed: int = 0) -> None:
        self._durable, self._placed = durable, placed

    def durable(self, partition: int) -> int:
        return self._durable

    def placed(self, partition: int) -> int:
        return self._placed


def test_the_monitor_shows_the_same_of_its_tables_before_a_first_message_too() -> None:
    clock = Clock()
    mine, other = TopicPartition("m.inferences", 0), TopicPartition("dataset-versions", 0)
    consumer, table = FaustConsumer({mine: 12, other: 3}), Table(durable=0, placed=10)
    progress = ShownProgress({"m.inferences": table}, PartitionProgress(clock))
    progress.show(consumer)
    clock.now += 60
    progress.show(consumer)
    assert shown(mine) == [10, 12, 60]
    assert shown(other) == [None, None, None]
    consumer.gone.add(mine)
    progress.show(consumer)
    consumer.ends = {}
    progress.show(consumer)
    assert shown(mine) == [None, None, None]
