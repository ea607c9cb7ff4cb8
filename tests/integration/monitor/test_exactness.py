"""I14 on a real broker: the sketches and reports are the batch computation, whatever happens to the workers."""

import time
from itertools import cycle

import pytest
from tests.integration.monitor.world import WINDOWS, World, wait_for_windows
from tests.support.servers import PausableKafka
from tests.support.waiting import wait_until
from tests.unit.monitoring.traffic import in_batch, together, window

from driftloop.contracts.events import DriftReported

KILLS = 3


def assert_exact(world: World) -> None:
    """All sketches, and the reports made of them, against one pass over all rows sent."""
    sketches = wait_for_windows(world)
    batch = in_batch(world.rows(), world.profiles)
    expected = {start: {v: part for v, part in by.items() if v is not None} for start, by in batch.items()}
    assert together(sketches) == {start: by for start, by in expected.items() if by}
    assert sum({(s.window.start, s.partition): s.rows for s in sketches}.values()) == world.rows().num_rows
    wait_until(lambda: {r.window.start for r in reports(world)} == {window(i).start for i in range(WINDOWS)}, "a report on every window")
    for report in reports(world):
        if report.version is not None:
            found = (report.window.start, report.version, report.revision, report.late_rows, report.closing_offsets)
            assert report.rows == expected[report.window.start][report.version][0], found


def assert_committed_within_tables(world: World) -> None:
    """I2: what the group has committed never passes what the changelog accounts for."""
    committed = world.committed()
    stored = world.stored_offsets()
    assert all(offset <= stored.get(partition, 0) for partition, offset in committed.items()), (committed, stored)


def reports(world: World) -> list[DriftReported]:
    return [event for _, event in world.events("drift-reports") if isinstance(event, DriftReported)]


def test_an_undisturbed_monitor_reports_the_batch_computation_and_drains(world: World):
    worker = world.start_worker()
    with world.sending(pause_seconds=0):
        pass
    assert_exact(world)
    assert worker.terminate() == 0


def test_sketches_are_exact_after_a_worker_was_killed_three_times_under_load(world: World):
    with world.sending():
        for _ in range(KILLS):
            worker = world.start_worker()
            worker.wait_for_work()
            assert_committed_within_tables(world)
            worker.kill()
        world.start_worker()
    assert_exact(world)
    assert_committed_within_tables(world)


def test_a_group_offset_that_is_too_far_loses_nothing(world: World):
    worker = world.start_worker()
    with world.sending():
        worker.wait_for_work()
        worker.kill()
    world.commit_ends()  # as faust may, acknowledging what it threw away in a rebalance
    world.start_worker()
    assert_exact(world)


def test_two_workers_share_the_partitions_and_stay_exact_when_one_after_the_other_is_killed(world: World):
    workers = {name: world.start_worker(name) for name in ("monitor-0", "monitor-1")}
    wait_until(lambda: all(w.alive() and w.ready() for w in workers.values()), "both workers to be ready")
    with world.sending(pause_seconds=0.6):
        for name, _ in zip(cycle(workers), range(KILLS), strict=False):
            workers[name].wait_for_work()
            workers[name].kill()
            workers[name] = world.start_worker(name)
    assert_exact(world)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client leaves sockets to a paused broker open
def test_sketches_are_exact_after_a_worker_was_killed_while_the_broker_was_paused(own_world: World, own_broker: PausableKafka):
    worker = own_world.start_worker()
    with own_world.sending():
        worker.wait_for_work()
        own_broker.pause()
        time.sleep(2)  # the changelog's and the commit's answers are outstanding
        worker.kill()
        time.sleep(8)  # longer than its session
        own_broker.go_on()
        own_world.start_worker()
    assert_exact(own_world)
