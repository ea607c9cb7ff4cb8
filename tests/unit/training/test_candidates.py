from datetime import UTC, datetime, timedelta

import pytest

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.windows import WindowPlan
from driftloop.statistics.metrics import for_task
from driftloop.training.candidates import choose, training_start

HIGHER = for_task("r2", "regression")
CUTS = tuple(datetime(2013, month, 1, tzinfo=UTC) for month in range(1, 8))


def measured(**metrics: float | None) -> list[CandidateResult]:
    return [CandidateResult(recipe=name.replace("_", ":"), rows=1, metric=value, seconds=0) for name, value in metrics.items()]


def test_all_starts_at_the_beginning_and_last_n_at_the_window_n_before():
    plan = WindowPlan(cuts=CUTS)
    assert training_start("all", plan, CUTS[4]) is None
    assert training_start("last:2", plan, CUTS[4]) == CUTS[2]
    assert training_start("last:5", plan, CUTS[4]) == CUTS[0]
    assert training_start("last:3", WindowPlan(every=timedelta(days=1)), CUTS[4]) == CUTS[4] - timedelta(days=3)


@pytest.mark.parametrize(
    ("metrics", "chosen"),
    [
        ({"all": 0.70, "last_5": 0.709, "last_2": 0.60}, "all"),
        ({"all": 0.70, "last_5": 0.72, "last_2": 0.73}, "last:2"),
        ({"all": 0.50, "last_5": 0.625, "last_2": 0.625}, "last:5"),
        ({"all": 0.0, "last_5": 0.01, "last_2": None}, "last:5"),
        ({"all": None, "last_5": 0.60, "last_2": 0.61}, "last:2"),
        ({"last_5": 0.60, "last_2": 0.61}, "last:2"),
        ({"all": -0.5, "last_5": -0.9}, "all"),
    ],
)
def test_all_is_taken_unless_another_beats_it_by_the_margin(metrics, chosen):
    assert choose(measured(**metrics), margin=0.01, metric=HIGHER).recipe == chosen


@pytest.mark.parametrize(
    ("metrics", "chosen"),
    [
        ({"all": 3.2, "last_5": 3.195, "last_2": 4.0}, "all"),
        ({"all": 3.2, "last_5": 3.0, "last_2": 2.9}, "last:2"),
        ({"all": 3.2, "last_5": 3.4, "last_2": 9.0}, "all"),
        ({"last_5": 0.4, "last_2": 0.5}, "last:5"),
    ],
)
def test_of_an_error_the_lowest_is_taken(metrics, chosen):
    assert choose(measured(**metrics), margin=0.01, metric=for_task("mae", "regression")).recipe == chosen


def test_nothing_is_chosen_when_nothing_was_measured():
    assert choose(measured(all=None, last_2=None), margin=0.01, metric=HIGHER) is None
