"""Reports tell what a challenger answered, and again when more of it or of its labels has come."""

import numpy as np
import pytest
from tests.unit.monitor.decider_bench import Bench
from tests.unit.monitoring.test_challengers import shadow
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import ChallengerMeasured, PerformanceReported
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS
from driftloop.errors import TransientError


class FakeShadow:
    """What a challenger has answered, as a test sets it."""

    def __init__(self):
        self.answered, self.ranges = 0, []

    def refresh(self):
        """Nothing to go to."""

    def changed(self):
        ranges, self.ranges = self.ranges, []
        return ranges

    def rows(self, window, labels):
        n = self.answered
        return shadow(np.linspace(0, 1, n), np.linspace(1, 0, n), np.arange(n) % 2 == 0) if n else None


@pytest.fixture
def beside():
    made = Bench()
    made.shadow = made.decider._shadow = made.decider._beside._shadow = FakeShadow()
    made.lake.labels = None
    return made


def measured(bench):
    return [event for event in bench.events(PERFORMANCE_REPORTS) if isinstance(event, ChallengerMeasured)]


def told(bench):
    return [r for r in bench.events(PERFORMANCE_REPORTS) if isinstance(r, PerformanceReported) and r.version is None]


def test_a_challenger_is_told_of_when_it_has_answered_and_again_when_there_is_more(beside):
    beside.step(0)
    (before,) = told(beside)
    assert not before.challengers
    beside.shadow.answered, beside.shadow.ranges = 50, [(window(0).start, window(0).start)]
    beside.step(0)
    beside.step(0)
    assert [(r.revision, r.challengers[0].rows, r.challengers[0].disagreement) for r in told(beside)[1:]] == [(1, 50, 1.0)]
    beside.shadow.answered, beside.shadow.ranges = 80, [(window(0).start, window(0).start)]
    beside.step(0)
    assert [(r.revision, r.challengers[0].rows) for r in told(beside)[1:]] == [(1, 50), (2, 80)]


def test_the_version_that_scored_the_window_names_the_disagreement(beside):
    beside.shadow.answered = 50
    beside.step(0)
    (alone,) = [r for r in beside.events(PERFORMANCE_REPORTS) if isinstance(r, PerformanceReported) and r.version == 1]
    assert "version 2, answers 100.0 % of 50 rows otherwise" in alone.answer.reason
    assert not alone.challengers


def test_what_it_came_to_is_told_to_the_gate_once_a_window_with_the_windows_before(beside):
    beside.shadow.answered = 50
    beside.lake.known = False
    beside.step(0)
    assert measured(beside) == [], "its labels are still to come"
    beside.lake.known = True
    beside.step(0)
    beside.step(0, 1)
    beside.shadow.ranges = [(window(0).start, window(1).start)]
    beside.shadow.answered = 60
    beside.step(0, 1)
    first, second = measured(beside)
    assert (first.version, first.measurements.window, first.measurements.earlier) == (2, window(0), ())
    assert [gain.window for gain in second.measurements.earlier] == [window(0)]
    assert second.measurements.waited == pytest.approx(first.measurements.gain + second.measurements.gain)


def test_a_decider_that_dies_before_its_decision_tells_it_again_under_the_same_id(beside):
    beside.shadow.answered = 50
    beside.publisher.refused = DECISIONS
    with pytest.raises(TransientError):
        beside.step(0)
    shadow = beside.shadow
    beside.restart()
    beside.decider._shadow = beside.decider._beside._shadow = shadow
    beside.step(0)
    pairs = zip(beside.ids(PERFORMANCE_REPORTS), beside.events(PERFORMANCE_REPORTS), strict=True)
    ids = [each for each, event in pairs if isinstance(event, ChallengerMeasured)]
    assert len(ids) == 2
    assert len(set(ids)) == 1
