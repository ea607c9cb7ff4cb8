"""Thresholds that keep a budget of false alarms: on autocorrelated columns, as an event of several windows, by number of rows."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.signal import lfilter

from driftloop.statistics.calibration import (
    FOLLOWS_CALENDAR,
    LEAST_ROWS,
    LENGTHS,
    STRETCHES,
    Budget,
    PlacedRows,
    Slotted,
    calibrate,
)
from driftloop.statistics.drift_thresholds import DriftThresholds, interpolated, needed_windows
from driftloop.statistics.effect_size import effect_size
from driftloop.statistics.profile import SCORE

BINS, SIZE = 16, 19


def slotted(values: np.ndarray, uppers: np.ndarray) -> Slotted:
    slots = np.searchsorted(np.r_[-np.inf, uppers, np.inf], values, side="left") + 1
    return Slotted("ordered", SIZE, np.where(np.isnan(values), 0, slots))


def columns(values: np.ndarray) -> dict[str, Slotted]:
    return {f"c{i}": slotted(v, np.quantile(v, np.arange(1, BINS + 1) / BINS)) for i, v in enumerate(values.T)}


def rows(values: np.ndarray, per_window: int = 200) -> PlacedRows:
    return PlacedRows(np.arange(len(values)) / per_window, columns(values))


def calm(windows: int = 30, per_window: int = 200, n: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(windows * per_window, n))


def autocorrelated(n: int, of: int, phi: float, random: np.random.Generator) -> np.ndarray:
    return lfilter([1.0], [1.0, -phi], random.normal(size=(n + 500, of)), axis=0)[500:]


@pytest.mark.parametrize("phi", [0.0, 0.9, 0.98])
def test_windows_without_drift_keep_the_budget_however_their_rows_hang_together(phi):
    """20 columns, a budget of 5 %, 25 references with 16 windows each after them: at most 1.5 times the budget, beyond chance."""
    windows, after, per_window, alpha = 40, 16, 200, 0.05
    random, alarms, repeated = np.random.default_rng(7), 0, 0
    for seed in range(25):
        values = autocorrelated((windows + after) * per_window, 20, phi, random)
        reference, later = values[: windows * per_window], values[windows * per_window :]
        found = calibrate(rows(reference, per_window), None, Budget("", alpha, 2, 3), seed=seed)
        uppers = [np.quantile(v, np.arange(1, BINS + 1) / BINS) for v in reference.T]
        known = [np.bincount(slotted(v, u).slots, minlength=SIZE) for v, u in zip(reference.T, uppers, strict=True)]
        largest = np.array(
            [
                max(
                    effect_size("ordered", k, np.bincount(slotted(v, u).slots, minlength=SIZE))
                    for k, v, u in zip(known, later[w * per_window : (w + 1) * per_window].T, uppers, strict=True)
                )
                for w in range(after)
            ]
        )
        alarms += int((largest > found.threshold(per_window)).sum())
        above = largest > found.repeated_threshold(per_window)
        repeated += sum(above[i - 2 : i + 1].sum() >= 2 for i in range(2, after))
    by_chance = 2 * math.sqrt(25 * after * alpha)  # windows
    assert alarms <= 1.5 * alpha * 25 * after + by_chance
    assert repeated <= 1.5 * alpha * 25 * (after - 2) + by_chance
    assert alarms > 0  # a threshold that nothing reaches keeps every budget


def test_the_threshold_is_the_ranked_largest_distance_from_the_rest_counted_row_by_row():
    """The same stretches by masks over all rows, without a cumulative count."""
    placed, alpha = rows(autocorrelated(3000, 3, 0.9, np.random.default_rng(1)), 150), 0.1
    found = calibrate(placed, None, Budget("", alpha), seed=5)
    low, high = placed.places[0], np.nextafter(placed.places[-1], np.inf)
    starts = low + (np.arange(STRETCHES) + np.random.default_rng(5).random(STRETCHES)) / STRETCHES * (high - low - 1)
    largest = []
    for start in starts:
        inside = (placed.places >= start) & (placed.places < start + 1)
        by_column = [[np.bincount(column.slots[mask], minlength=SIZE) for mask in (~inside, inside)] for column in placed.columns.values()]
        largest.append(max(effect_size("ordered", *pair) for pair in by_column))
    assert found.thresholds[-1] == pytest.approx(sorted(largest)[math.ceil(0.9 * 301) - 1], abs=1e-12)
    assert found.rows[-1] == 150


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_of_equal_times_and_of_columns_changes_nothing(random):
    values = calm(windows=12, per_window=60, n=3)
    places = np.repeat(np.arange(len(values) // 5), 5) * 5 / 60  # five rows share each time
    held = columns(values)
    order = np.array(random.sample(range(len(values)), len(values)))
    names = random.sample(sorted(held), len(held))
    mixed = PlacedRows(places[order], {name: held[name]._replace(slots=held[name].slots[order]) for name in names})
    budget = Budget("1 per 90d", 0.1, 2, 3)
    assert calibrate(mixed, None, budget, seed=1) == calibrate(PlacedRows(places, held), None, budget, seed=1)


def test_another_seed_draws_other_stretches_and_the_same_seed_the_same():
    placed = rows(calm())
    assert calibrate(placed, None, Budget("", 0.1), seed=1) == calibrate(placed, None, Budget("", 0.1), seed=1)
    assert calibrate(placed, None, Budget("", 0.1), seed=1) != calibrate(placed, None, Budget("", 0.1), seed=2)


def test_fewer_windows_than_the_budget_needs_give_no_threshold():
    for windows, alpha, judged in ((9, 0.1, False), (10, 0.1, True), (30, 1 / 31, False), (31, 1 / 31, True)):
        found = calibrate(rows(calm(windows)), None, Budget("", alpha))
        assert (found.windows, found.needed, bool(found.thresholds)) == (windows, round(1 / alpha), judged)
    assert calibrate(rows(calm(1)), None, Budget("", 0.5)).thresholds == ()  # of one window there is no rest
    nothing = PlacedRows(np.empty(0), {"c0": Slotted("ordered", SIZE, np.empty(0, dtype=np.int64))})
    assert calibrate(nothing, None, Budget("", 0.5)) == DriftThresholds(false_alarms="", alpha=0.5, windows=0)


def test_a_gap_in_the_reference_is_no_effective_window():
    values = calm(windows=12)
    places = np.arange(len(values)) / 200 + np.where(np.arange(len(values)) < 1200, 0, 500)
    found = calibrate(PlacedRows(places, columns(values)), None, Budget("", 0.1))
    assert found.windows == 12


def test_a_rare_event_takes_more_stretches_and_one_that_is_too_rare_for_them_has_no_threshold():
    placed = rows(calm(windows=400, per_window=60, n=1), 60)
    found = calibrate(placed, None, Budget("", 1 / 400))
    assert found.stretches == 2000
    assert found.thresholds
    assert found.thresholds[-1] > calibrate(placed, None, Budget("", 1 / 20)).thresholds[-1]


def test_fewer_rows_take_a_higher_threshold_and_too_few_have_none():
    found = calibrate(rows(autocorrelated(30 * 800, 3, 0.5, np.random.default_rng(2)), 800), None, Budget("", 0.1))
    assert found.rows == tuple(sorted(found.rows))
    assert found.rows[0] >= LEAST_ROWS
    assert len(found.rows) == len([length for length in LENGTHS if 800 * length >= LEAST_ROWS])
    by_rows = [found.threshold(n) for n in (found.rows[0], 75, 100, 300, 799, 800, 100_000)]
    assert by_rows == sorted(by_rows, reverse=True)
    assert by_rows[-1] == by_rows[-2] == found.thresholds[-1]
    assert found.threshold(found.rows[0] - 1) is None
    assert found.threshold(0) is None


def test_a_window_of_too_few_rows_as_a_rule_has_no_threshold():
    found = calibrate(rows(calm(per_window=LEAST_ROWS - 1), LEAST_ROWS - 1), None, Budget("", 0.1))
    assert (found.rows, found.thresholds, found.windows) == ((), (), 30)


def test_constant_and_empty_columns_are_judged_by_any_change():
    values = np.column_stack([np.full(6000, 3.0), np.full(6000, np.nan)])
    uppers = np.array([3.0] * BINS)
    placed = PlacedRows(np.arange(6000) / 200, {"constant": slotted(values[:, 0], uppers), "missing": slotted(values[:, 1], uppers)})
    found = calibrate(placed, None, Budget("", 0.1))
    assert found.unjudged == ()
    assert set(found.thresholds) == {0.0}


def test_fewer_rows_than_bins_and_no_columns_at_all_have_no_threshold():
    few = np.random.default_rng(0).normal(size=(10, 2))
    assert calibrate(PlacedRows(np.arange(10.0), columns(few)), None, Budget("", 0.5)).thresholds == ()
    assert calibrate(PlacedRows(np.arange(6000) / 200, {}), None, Budget("", 0.1)).thresholds == ()


def test_a_column_that_follows_the_calendar_is_not_judged_and_does_not_blind_the_others():
    values = calm()
    alone = calibrate(rows(values), None, Budget("", 0.1))
    with_year = np.column_stack([values, np.arange(len(values), dtype=float)])
    found = calibrate(rows(with_year), None, Budget("", 0.1))
    assert found.unjudged == ("c4",)
    assert found.thresholds == alone.thresholds
    assert max(found.thresholds) < FOLLOWS_CALENDAR
    nothing_else = calibrate(rows(with_year[:, 4:]), None, Budget("", 0.1))
    assert (nothing_else.unjudged, nothing_else.thresholds) == (("c0",), ())


def test_the_score_is_judged_where_a_window_holds_enough_rows_that_were_held_out():
    values, random = calm(per_window=2000), np.random.default_rng(3)
    held_out = random.random(len(values)) < 0.1
    placed = rows(values, 2000)
    score = PlacedRows(placed.places[held_out], {SCORE: columns(random.random((int(held_out.sum()), 1)))["c0"]})
    found = calibrate(placed, score, Budget("", 0.1))
    assert found.score_from == 1000  # 100 of them are held out
    without = calibrate(placed, None, Budget("", 0.1))
    assert without.score_from is None
    assert found.thresholds[-1] > without.thresholds[-1]  # the tenth of the rows moves more by chance


def test_k_of_n_is_the_event_that_it_is():
    placed = rows(calm(windows=60))
    one, two_of_three, three = (calibrate(placed, None, Budget("", 0.05, k, n), seed=4) for k, n in ((1, 1), (2, 3), (3, 3)))
    assert one.repeated == one.thresholds == two_of_three.thresholds
    assert three.repeated[-1] < two_of_three.repeated[-1] < one.repeated[-1]
    too_short = calibrate(rows(calm(windows=4)), None, Budget("", 0.3, 2, 3))
    assert (bool(too_short.thresholds), too_short.repeated, too_short.repeated_threshold(200)) == (True, (), None)


@given(st.floats(1e-4, 0.5))
def test_so_many_windows_are_needed_that_one_of_them_is_no_more_than_the_share(alpha):
    assert needed_windows(alpha) * alpha >= 1 - 1e-6
    assert (needed_windows(alpha) - 1) * alpha < 1


def test_between_two_numbers_of_rows_the_threshold_goes_as_chance_does():
    assert interpolated((100, 400), (0.5, 0.3), 100) == 0.5
    assert interpolated((100, 400), (0.5, 0.3), 400) == 0.3
    assert interpolated((100, 400), (0.5, 0.3), 225) == pytest.approx(0.5 - 0.2 * (1 / 10 - 1 / 15) / (1 / 10 - 1 / 20))
    assert interpolated((100,), (0.5,), 99) is None
    assert interpolated((), (), 99) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": (10, 20), "thresholds": (0.3,)},
        {"rows": (20, 10), "thresholds": (0.3, 0.2)},
        {"rows": (0, 10), "thresholds": (0.3, 0.2)},
        {"rows": (10,), "thresholds": (0.3,), "repeated": (0.3, 0.2)},
        {"alpha": 0.0},
    ],
)
def test_a_table_that_nobody_of_ours_wrote_is_refused(wrong):
    assert DriftThresholds(**({"false_alarms": "", "alpha": 0.1, "windows": 3} | wrong)).problem() is not None
    assert calibrate(rows(calm()), None, Budget("", 0.1)).problem() is None
