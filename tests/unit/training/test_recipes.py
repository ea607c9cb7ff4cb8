"""What a recipe means for rows: where its fits begin, and what each row weighs."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from driftloop.contracts.windows import WindowPlan
from driftloop.project.recipes import parse_recipe
from driftloop.training.recipes import ages, fit_start, members, micros, weights

CUTS = tuple(datetime(2013, month, 1, tzinfo=UTC) for month in range(1, 8))
DAILY = WindowPlan(every=timedelta(days=1))
DAY = timedelta(days=1)


def at(*times: datetime) -> "np.ndarray":
    return np.array([micros(time) for time in times], dtype=np.int64)


def test_a_mean_begins_where_the_member_that_looks_back_farthest_does():
    plan = WindowPlan(cuts=CUTS)
    assert fit_start(parse_recipe("mean:[last:2, last:3+time]"), plan, CUTS[4]) == CUTS[1]
    assert fit_start(parse_recipe("mean:[last:2, decay:4]"), plan, CUTS[4]) is None
    assert fit_start(parse_recipe("decay:1"), plan, CUTS[4]) is None
    assert [str(member) for member in members(parse_recipe("mean:[last:2, decay:4]"))] == ["last:2", "decay:4"]


def test_the_newest_window_is_the_one_that_ends_there_or_is_under_way():
    for plan in (WindowPlan(cuts=CUTS), DAILY):
        newest = parse_recipe("newest")
        before = CUTS[3] if plan.cuts else CUTS[4] - DAY
        assert fit_start(newest, plan, CUTS[4]) == fit_start(parse_recipe("last:1"), plan, CUTS[4]) == before
        assert fit_start(newest, plan, CUTS[4] + timedelta(hours=1)) == CUTS[4]
    assert fit_start(parse_recipe("newest"), WindowPlan(cuts=CUTS), CUTS[-1] + DAY) == CUTS[-2]


def test_windows_from_before_the_calendar_are_everything():
    assert fit_start(parse_recipe("last:1000000"), WindowPlan(every=timedelta(weeks=1000)), CUTS[0]) is None
    first = datetime.min.replace(tzinfo=UTC)
    assert fit_start(parse_recipe("newest"), DAILY, first) == first


def test_a_row_is_as_old_as_the_boundaries_behind_it():
    end = CUTS[4]  # a boundary of both plans
    times = at(end - timedelta(microseconds=1), end - DAY, end - DAY - timedelta(microseconds=1), end - 3 * DAY)
    assert ages(DAILY, times, end).tolist() == [0, 0, 1, 2]
    times = at(CUTS[3], CUTS[3] - timedelta(microseconds=1), CUTS[2], CUTS[0], CUTS[0] - 9 * DAY)
    assert ages(WindowPlan(cuts=CUTS), times, end).tolist() == [0, 1, 1, 3, 4]


def test_an_end_within_a_window_makes_that_the_newest():
    end = CUTS[4] + timedelta(hours=5)
    assert ages(DAILY, at(CUTS[4] + timedelta(hours=1), CUTS[4] - timedelta(hours=1)), end).tolist() == [0, 1]
    assert ages(WindowPlan(cuts=CUTS), at(CUTS[4], CUTS[3]), end).tolist() == [0, 1]


def test_ages_know_rows_from_before_1970_and_cuts_of_any_time_zone():
    early = datetime(1969, 12, 30, tzinfo=UTC)
    assert ages(DAILY, at(early, early - DAY), early + 2 * DAY).tolist() == [1, 2]
    here = tuple(cut.astimezone(timezone(timedelta(hours=-5))) for cut in CUTS)
    assert ages(WindowPlan(cuts=here), at(CUTS[1]), CUTS[3]).tolist() == [1]


def test_both_kinds_of_plan_give_the_same_ages():
    random = np.random.default_rng(0)
    cuts = WindowPlan(cuts=tuple(CUTS[0] + n * DAY for n in range(40)))
    times = micros(CUTS[0]) + random.integers(0, 30 * 86_400_000_000, 500)
    end = CUTS[0] + 30 * DAY
    assert np.array_equal(ages(cuts, times, end), ages(DAILY, times, end))


def test_weights_halve_every_h_windows():
    end = CUTS[4]
    times = at(end - DAY / 2, end - 1.5 * DAY, end - 2.5 * DAY, end - 4.5 * DAY)
    assert weights(parse_recipe("decay:2").members[0], DAILY, times, end).tolist() == [1.0, 0.5**0.5, 0.5, 0.25]
    assert weights(parse_recipe("decay:0.5").members[0], DAILY, times, end).tolist() == [1.0, 0.25, 0.0625, 1 / 256]


@pytest.mark.parametrize("recipe", ["all", "all+time", "last:2"])
def test_other_recipes_weigh_all_rows_alike(recipe):
    assert weights(parse_recipe(recipe).members[0], DAILY, at(CUTS[0]), CUTS[4]) is None


def test_weights_of_very_old_rows_are_numbers():
    old = weights(parse_recipe("decay:0.1").members[0], DAILY, at(datetime(1, 1, 1, tzinfo=UTC), CUTS[3]), CUTS[4])
    assert (old[0] >= 0).all()
    assert np.isfinite(old).all()
    assert len(weights(parse_recipe("decay:1").members[0], DAILY, at(), CUTS[4])) == 0
