"""I14 on a real broker: the sketches and reports are the batch computation, whatever happens to the workers."""

from tests.integration.monitor.world import World, wait_for_windows
from tests.unit.monitor.traffic import in_batch, together

from driftloop.contracts.events import DriftReported

WINDOWS = 6
MESSAGES = 30  # per partition: 60,000 rows in all


def assert_exact(world: World) -> None:
    """All sketches, added up, against one pass over all rows sent."""
    sketches = wait_for_windows(world, WINDOWS)
    expected = {start: {v: part for v, part in by.items() if v is not None} for start, by in in_batch(world.rows(), world.profiles).items()}
    assert together(sketches) == {start: by for start, by in expected.items() if by}
    rows = {(s.window.start, s.partition): s.rows for s in sketches}
    assert sum(rows.values()) == world.rows().num_rows


def test_an_undisturbed_monitor_reports_the_batch_computation(world: World):
    worker = world.start_worker()
    world.send(MESSAGES)
    world.close_windows(WINDOWS)
    assert_exact(world)
    reports = [event for _, event in world.events("drift-reports") if isinstance(event, DriftReported)]
    assert {r.window.start for r in reports}
    assert worker.terminate() == 0
