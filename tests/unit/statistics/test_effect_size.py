"""The distance that a verdict is made from, against SciPy on the same bins."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import assume, given, settings

from driftloop.statistics.effect_size import effect_size, effect_sizes

counts = st.lists(st.integers(0, 50), min_size=7, max_size=7).map(lambda values: np.array(values, dtype=np.int64))
kinds = pytest.mark.parametrize("kind", ["ordered", "category"])


@settings(deadline=None)
@given(counts, counts)
def test_of_ordered_columns_it_is_scipys_kolmogorov_smirnov_with_missing_values_at_either_end(a, b):
    assume(a.sum() and b.sum())

    def scipys(missing: int) -> float:
        places = np.array([missing, 1, 2, 3, 4, 5, 6])
        return scipy.stats.ks_2samp(np.repeat(places, a), np.repeat(places, b), method="asymp").statistic

    assert effect_size("ordered", a, b) == pytest.approx(max(scipys(0), scipys(7)), abs=1e-9)


@settings(deadline=None)
@given(counts, counts)
def test_of_categories_it_is_half_of_scipys_city_block_distance_of_the_shares(a, b):
    assume(a.sum() and b.sum())
    expected = scipy.spatial.distance.cityblock(a / a.sum(), b / b.sum()) / 2
    assert effect_size("category", a, b) == pytest.approx(expected, abs=1e-9)


@kinds
@settings(deadline=None)
@given(a=counts, b=counts, factor=st.integers(1, 9))
def test_it_is_a_distance_of_shares_in_0_to_1(kind, a, b, factor):
    found = effect_size(kind, a, b)
    assert 0 <= found <= 1
    assert effect_size(kind, b, a) == pytest.approx(found, abs=1e-12)
    assert effect_size(kind, a, factor * a) == pytest.approx(0, abs=1e-12)
    assert effect_size(kind, a, np.zeros_like(a)) == effect_size(kind, np.zeros_like(a), b) == 0


@settings(deadline=None)
@given(a=counts, b=counts, order=st.permutations(range(7)))
def test_turned_round_ordered_columns_and_mixed_up_categories_are_as_far_apart(a, b, order):
    turned = [0, 6, 5, 4, 3, 2, 1]
    assert effect_size("ordered", a[turned], b[turned]) == pytest.approx(effect_size("ordered", a, b), abs=1e-12)
    assert effect_size("category", a[list(order)], b[list(order)]) == pytest.approx(effect_size("category", a, b), abs=1e-12)


@kinds
def test_many_at_once_are_the_same_as_one_by_one(kind):
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 9, (40, 7)) * (random.random((40, 1)) < 0.9).astype(np.int64) for _ in range(2))
    assert effect_sizes(kind, a, b).tolist() == [effect_size(kind, one, other) for one, other in zip(a, b, strict=True)]


@kinds
def test_values_that_go_missing_move_a_column_by_their_share(kind):
    before, half = np.array([0, 0, 50, 50, 0]), np.array([50, 0, 25, 25, 0])
    assert effect_size(kind, before, half) == pytest.approx(0.5)
    few = np.array([97, 0, 3, 0, 0])  # the three that are left say little about the values: the share says it
    assert effect_size(kind, np.array([97, 0, 1, 2, 0]), few) <= 0.03


def test_a_constant_column_is_as_far_as_rows_have_left_it():
    constant = np.array([0, 0, 100, 0])
    assert effect_size("ordered", constant, np.array([0, 0, 7, 0])) == 0
    assert effect_size("ordered", constant, np.array([0, 1, 6, 3])) == pytest.approx(0.3)
    assert effect_size("ordered", np.array([100, 0, 0]), np.array([0, 0, 9])) == 1  # nothing was known of it, and now something is
