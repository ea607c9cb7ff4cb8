"""From inferences and labels, through the real lake, to reports and one decision per window."""

from tests.integration.monitor.world import WINDOWS, World
from tests.support.waiting import wait_until
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import DecisionMade, PerformanceReported, RetrainRequested
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS


def test_every_closed_window_gets_one_decision_also_when_the_monitor_is_killed_in_between(world: World):
    world.start_worker("ingest-0")
    monitor = world.start_worker()
    world.send(6)
    world.close_windows(WINDOWS)
    world.label_everything(WINDOWS)

    def decided() -> dict:
        return {event.window.start: event for _, event in world.events(DECISIONS) if isinstance(event, DecisionMade) and event.window}

    wait_until(lambda: monitor.alive() and decided(), "a first decision")
    monitor.kill()
    monitor = world.start_worker()
    wait_until(lambda: monitor.alive() and len(decided()) == WINDOWS, f"{WINDOWS} decisions")

    decisions = world.events(DECISIONS)
    assert len({event_id for event_id, _ in decisions}) == WINDOWS
    accepted = [event for event in decided().values() if event.accepted]
    assert [event.window for event in accepted] == [window(0)]  # the run stays in flight: nobody trains here
    requests = {event_id for event_id, event in world.events(RETRAIN_REQUESTS) if isinstance(event, RetrainRequested)}
    assert requests == {accepted[0].request_id}
    reports = [event for _, event in world.events(PERFORMANCE_REPORTS) if isinstance(event, PerformanceReported)]
    assert sum(report.rows for report in reports if report.version is None and report.revision == 0) == world.rows().num_rows
    for report in reports:
        assert report.coverage == 1.0
        assert report.median_label_delay_seconds == 60.0
        assert report.version is None or report.measured is not None
        assert report.version is None or report.measured.value == 1.0  # the labels follow the scores here
    assert monitor.terminate() == 0
