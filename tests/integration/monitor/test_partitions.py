"""A stream that gets more partitions, and a topic that is made anew, while the services work: nothing is lost, counted or decided twice."""

from tests.integration.monitor.test_exactness import assert_exact, reports
from tests.integration.monitor.worker import Worker
from tests.integration.monitor.world import PARTITIONS, WINDOWS, World
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.monitoring.traffic import HOUR, START, in_batch, make_rows, together

from driftloop.contracts.events import DecisionMade, PerformanceReported, WindowSketched
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS
from driftloop.service.process import EXIT_RESTART


def started_again(world: World, worker: Worker) -> Worker:
    """As whoever supervises it does, once it has ended by itself."""
    assert worker.process.wait(PATIENCE_SECONDS) == EXIT_RESTART, worker.tail()
    return world.start_worker()


def test_partitions_added_under_traffic_are_taken_up_and_every_row_counts_once(world: World):
    ingest, monitor = world.start_worker("ingest-0"), world.start_worker()
    wait_until(lambda: monitor.alive() and monitor.ready(), "the monitor to be ready")
    with world.sending(12, pause_seconds=0.3):
        monitor.wait_for_work()
        world.add_partitions(PARTITIONS + 2)
        monitor = started_again(world, monitor)
        wait_until(lambda: monitor.alive() and len(monitor.status().get("partitions", {})) == PARTITIONS + 2, "work on all partitions")
    world.label_everything(WINDOWS)
    rows = world.rows()
    wait_until(lambda: sum(s.rows for s in newest_sketches(world)) == rows.num_rows, "all rows to be in a sketch")
    batch = in_batch(rows, world.profiles)
    expected = {start: {v: part for v, part in by.items() if v is not None} for start, by in batch.items()}
    assert together(world.sketches()) == {start: by for start, by in expected.items() if by}
    of_batch = {(start, version): part[0] for start, by in expected.items() for version, part in by.items()}
    wait_until(lambda: reported_rows(world) == of_batch, "the reports to say what one pass over all rows says")
    wait_until(lambda: len(decided(world)) == WINDOWS, f"{WINDOWS} decisions")
    wait_until(lambda: measured_rows(world) == rows.num_rows, "every row to be measured once")
    assert len({d.window for d in decided(world)}) == len(decided(world)) == WINDOWS
    assert ingest.alive()
    assert monitor.terminate() == 0


def test_inferences_made_anew_are_counted_from_their_beginning_and_what_was_counted_stays(world: World):
    monitor = world.start_worker()
    wait_until(lambda: monitor.alive() and monitor.ready(), "the monitor to be ready")
    world.send(6)
    wait_until(lambda: sum(monitor.status().get("durable", {}).values()) == 6 * PARTITIONS, "all messages to be folded and stored")
    world.make_inferences_anew()
    monitor = started_again(world, monitor)
    wait_until(lambda: monitor.alive() and monitor.ready(), "the monitor to be ready again")
    for partition in range(PARTITIONS):
        times, first = [START + (WINDOWS - 0.5) * HOUR] * 100, world.next_request(partition)
        world.send_rows(make_rows(world.project, times, seed=1000 + partition, first_request=first), partition)
    world.close_windows(WINDOWS)
    assert_exact(world)
    assert monitor.terminate() == 0


def newest_sketches(world: World) -> list[WindowSketched]:
    newest = {(s.window.start, s.partition): s for s in sorted(world.sketches(), key=lambda s: s.closing_offset)}
    return list(newest.values())


def reported_rows(world: World) -> dict:
    newest = {(r.window.start, r.version): r.rows for r in sorted(reports(world), key=lambda r: r.revision)}
    return {about: rows for about, rows in newest.items() if about[1] is not None}


def measured_rows(world: World) -> int:
    found = [event for _, event in world.events(PERFORMANCE_REPORTS) if isinstance(event, PerformanceReported) and event.version is None]
    return sum({r.window.start: r.rows for r in sorted(found, key=lambda r: r.revision)}.values())


def decided(world: World) -> list[DecisionMade]:
    return [event for _, event in world.events(DECISIONS) if isinstance(event, DecisionMade)]
