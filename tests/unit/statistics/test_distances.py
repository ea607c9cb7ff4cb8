"""One conformance suite for every distance, and each against an independent implementation or a worked value."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import assume, given, settings

from driftloop.statistics.distances import RANKED_BY, STATISTICS, chi_squared, js, ks, psi, wasserstein

every_distance = pytest.mark.parametrize("distance", [row.distance for row in STATISTICS.values()], ids=STATISTICS.keys())
nominal = [row.distance for row in STATISTICS.values() if "category" in row.kinds]
histogram = st.lists(st.integers(0, 10_000), min_size=6, max_size=6).map(lambda v: np.array(v, dtype=np.int64))


@every_distance
class TestConformance:
    @settings(deadline=None)
    @given(a=histogram, factor=st.integers(1, 50))
    def test_equal_shares_are_no_distance_apart(self, distance, a, factor):
        assert distance(a, a * factor) == pytest.approx(0, abs=1e-6)

    @settings(deadline=None)
    @given(a=histogram, b=histogram)
    def test_it_is_finite_and_not_negative_with_empty_slots_too(self, distance, a, b):
        value = distance(a, b)
        assert isinstance(value, float)
        assert np.isfinite(value)
        assert value >= 0

    @settings(deadline=None)
    @given(a=histogram)
    def test_an_empty_histogram_says_nothing(self, distance, a):
        assert distance(a, np.zeros_like(a)) == 0
        assert distance(np.zeros_like(a), a) == 0

    def test_it_grows_as_rows_move_further_away(self, distance):
        reference = np.array([0, 100, 100, 100, 100, 0])
        moved = [distance(reference, np.array([0, 100 - n, 100, 100, 100, n])) for n in (0, 10, 50, 100)]
        assert moved == sorted(moved)
        assert moved[-1] > moved[0]


def test_psi_of_a_worked_example():
    expected = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert psi(np.array([50, 50]), np.array([25, 75])) == pytest.approx(expected)


def test_psi_takes_an_empty_slot_as_a_small_share():
    assert psi(np.array([100, 0]), np.array([50, 50])) == pytest.approx(
        (0.5 - 1) * np.log(0.5) + (0.5 - 1e-4) * np.log(0.5 / 1e-4),
    )


@settings(deadline=None)
@given(histogram, histogram)
def test_ks_is_scipys_on_values_that_sit_in_the_slots(a, b):
    a, b = a // 100, b // 100
    assume(a.sum() and b.sum())
    slots = np.arange(a.size)
    assert ks(a, b) == pytest.approx(scipy.stats.ks_2samp(np.repeat(slots, a), np.repeat(slots, b), method="asymp").statistic)


@settings(deadline=None)
@given(histogram, histogram)
def test_js_is_scipys(a, b):
    assume(a.sum() and b.sum())
    assert js(a, b) == pytest.approx(scipy.spatial.distance.jensenshannon(a, b, base=2), abs=1e-6)


@settings(deadline=None)
@given(histogram, histogram)
def test_wasserstein_is_scipys_over_the_range(a, b):
    assume(a.sum() and b.sum())
    slots = np.arange(a.size)
    assert wasserstein(a, b) == pytest.approx(scipy.stats.wasserstein_distance(slots, slots, a, b) / (a.size - 1), abs=1e-9)


@settings(deadline=None)
@given(histogram, histogram)
def test_chi_squared_is_scipys(a, b):
    assume(a.sum() and b.sum())
    used = (a + b) > 0
    expected = scipy.stats.chi2_contingency(np.stack([a[used], b[used]]), correction=False).statistic
    assert chi_squared(a, b) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("distance", nominal)
@settings(deadline=None)
@given(a=histogram, b=histogram, order=st.permutations(range(6)))
def test_a_distance_of_categories_does_not_see_their_order(distance, a, b, order):
    assert distance(a[order], b[order]) == pytest.approx(distance(a, b), rel=1e-9, abs=1e-9)


def test_a_column_of_one_value_moves_only_when_rows_leave_it():
    constant = np.array([0, 50, 0])
    for row in STATISTICS.values():
        assert row.distance(constant, np.array([0, 7, 0])) == pytest.approx(0), row.name
        assert row.distance(constant, np.array([0, 5, 2])) > 0, row.name


def test_columns_are_ranked_by_a_statistic_that_all_have_and_that_has_a_threshold():
    ranking = STATISTICS[RANKED_BY]
    assert ranking.kinds == {"ordered", "category"}
    assert ranking.threshold is not None


def test_every_row_stands_under_its_name_and_explains_itself():
    for name, row in STATISTICS.items():
        assert (row.name, row.name.isidentifier()) == (name, True)
        assert row.unit
        assert row.meaning
        assert row.distance.__doc__, name
