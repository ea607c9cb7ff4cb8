"""One column's counts against its profile: the monitor and ``datasets diff`` read the same figures off it."""

import msgspec
import numpy as np
import pytest
from tests.unit.statistics.rows import SCHEMA, profile, traffic

from driftloop.datasets.diff import Reference, StoredProfile, difference
from driftloop.datasets.diff_inputs import DiffInput
from driftloop.monitoring.verdict import feature_drift
from driftloop.statistics.comparison import compare, compare_columns, shares
from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Column

PROFILE = profile(bins=16)
ORDERED = Column(kind="ordered", low=1.0, uppers=(1.0, 2.0, 3.0), counts=(10, 0, 30, 30, 30, 0))
CATEGORY = Column(kind="category", categories=("a", "b"), counts=(0, 60, 40, 0))


def counts(*values: int) -> "np.ndarray":
    return np.array(values, dtype=np.int64)


def test_every_statistic_that_applies_is_there_and_no_other():
    assert set(compare(ORDERED, ORDERED.reference).statistics) == set(STATISTICS)
    nominal = {name for name, row in STATISTICS.items() if "category" in row.kinds}
    assert set(compare(CATEGORY, CATEGORY.reference).statistics) == nominal < set(STATISTICS)


def test_a_column_counted_like_its_profile_has_not_moved():
    for column in (ORDERED, CATEGORY):
        found = compare(column, 3 * column.reference, dict.fromkeys([*STATISTICS, "missing", "unseen"], 0.0))
        assert found.statistics == pytest.approx(dict.fromkeys(found.statistics, 0.0))
        assert found.crossed == ()
        assert not found.drifted
        assert found.now == found.before


@pytest.mark.parametrize("name", STATISTICS)
def test_a_threshold_is_crossed_by_what_lies_above_it_and_not_by_what_equals_it(name):
    moved = counts(10, 0, 10, 30, 40, 10)
    value = compare(ORDERED, moved).statistics[name]
    assert compare(ORDERED, moved, {name: value}).crossed == ()
    assert compare(ORDERED, moved, {name: np.nextafter(value, 0)}).crossed == (name,)


def test_shares_are_judged_by_their_rise():
    with_missing = counts(30, 0, 30, 30, 30, 0)  # a quarter, where a tenth was missing
    assert compare(ORDERED, with_missing, {"missing": 0.15}).crossed == ()
    assert compare(ORDERED, with_missing, {"missing": 0.149}).crossed == ("missing",)
    assert compare(CATEGORY, counts(0, 60, 30, 10), {"unseen": 0.05, "missing": 0.0}).crossed == ("unseen",)
    assert compare(ORDERED, counts(0, 0, 30, 30, 30, 0), {"missing": 0.0}).crossed == ()  # less than before


def test_a_threshold_that_does_not_apply_is_passed_over():
    assert compare(CATEGORY, counts(0, 0, 60, 0), {"wasserstein": 0.0, "calibrated later": 0.0}).crossed == ()


def test_no_rows_say_nothing_whichever_side_has_none():
    for column in (ORDERED, CATEGORY):
        nothing = np.zeros(column.size, dtype=np.int64)
        empty = Column(kind=column.kind, uppers=column.uppers, categories=column.categories, counts=tuple(nothing.tolist()))
        for found in (compare(column, nothing), compare(empty, column.reference)):
            assert set(found.statistics.values()) == {0.0}


def test_a_column_that_was_constant_drifts_when_its_value_changes():
    constant = Column(kind="ordered", low=5.0, uppers=(5.0,), counts=(0, 0, 100, 0))
    assert compare(constant, counts(0, 0, 7, 0), {"psi": 0.25, "ks": 0.2}).crossed == ()
    assert compare(constant, counts(0, 0, 0, 7), {"psi": 0.25, "ks": 0.2}).crossed == ("psi", "ks")


def test_the_monitor_and_a_diff_of_datasets_cannot_disagree():
    training, later = traffic(3000, seed=1), traffic(2000, seed=2, shift=2.0)
    a, b = (DiffInput(name, SCHEMA, rows.append_column("event_id", [[f"e{i}" for i in range(len(rows))]])) for name, rows in
            (("a", training), ("b", later)))  # fmt: skip
    diff = difference(a, b, StoredProfile(Reference(), PROFILE)).features
    counted = Counter(PROFILE).count(later)
    for name, column in PROFILE.columns.items():
        if name != SCORE:
            drift = feature_drift(column, counted[name], {})
            assert diff[name].statistics == drift.statistics, name
            assert (diff[name].psi, diff[name].ks) == (drift.psi, drift.ks)
            assert (diff[name].missing, diff[name].unseen, diff[name].out_of_range) == (
                drift.missing_share,
                drift.unseen_share,
                drift.out_of_range_share,
            )
    assert diff["country"].wasserstein is None
    assert diff["price"].js == diff["price"].statistics["js"] > 0


def test_shares_tell_missing_unseen_and_out_of_range_apart():
    reference = profile()
    assert shares(reference.columns["price"], np.array([5, 3] + [0] * 63 + [10, 2])) == (0.25, 0.0, 0.25)
    country = reference.columns["country"]
    found = np.zeros(country.size, dtype=np.int64)
    found[0], found[1], found[-1] = 2, 5, 3
    assert shares(country, found) == (0.2, 0.3, 0.0)
    assert shares(country, np.zeros(country.size, dtype=np.int64)) == (0, 0, 0)


def test_columns_of_all_sizes_are_compared_at_once_as_each_is_alone_to_the_last_bit():
    """A report must not depend on which columns stand beside each other in a profile."""
    random = np.random.default_rng(5)
    columns, counted = {"constant": Column(kind="ordered", low=1.0, uppers=(1.0,), counts=(0, 0, 9, 0))}, {"constant": counts(1, 0, 6, 2)}
    for n in (1, 2, 7, 40, 64, 90, 199, 200, 300):
        for name, column in (
            (f"o{n}", Column(kind="ordered", uppers=tuple(float(i) for i in range(n)))),
            (f"c{n}", Column(kind="category", categories=tuple(f"v{i}" for i in range(n)))),
        ):
            some = (random.integers(0, 90, column.size) * (random.random(column.size) < 0.7)).tolist()
            columns[name], counted[name] = msgspec.structs.replace(column, counts=tuple(some)), random.integers(0, 50, column.size)
    columns["empty"], counted["empty"] = CATEGORY, counts(0, 0, 0, 0)
    limits = {name: dict.fromkeys([*STATISTICS, "distance", "missing"], 0.1) for name in columns}
    found = compare_columns(columns, counted, limits)
    assert list(found) == list(columns)
    for name, column in columns.items():
        assert found[name] == compare(column, counted[name], limits[name]), name
        for statistic, value in found[name].statistics.items():
            alone = STATISTICS[statistic].distance(column.reference[1:], counted[name][1:])
            assert value == pytest.approx(alone, rel=1e-12, abs=1e-12), (name, statistic)
        assert found[name].now == shares(column, counted[name])
    assert found["c300"].now.unseen == counted["c300"][-1] / counted["c300"].sum()
