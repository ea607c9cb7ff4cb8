import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.backtest.oracle import best_timing


def tried_all(scores: dict[str, np.ndarray], first: str, promotions: int) -> float:
    """The best mean over every way to promote, one after the other."""
    n, best = len(next(iter(scores.values()))), -np.inf
    moments = [(w, recipe) for w in range(1, n) for recipe in scores]
    for k in range(promotions + 1):
        for chosen in itertools.combinations(moments, k):
            if len({w for w, _ in chosen}) < k:
                continue
            champion, total = (first, 0), 0.0
            for w in range(n):
                champion = next(((recipe, at) for at, recipe in chosen if at == w), champion)
                total += scores[champion[0]][champion[1], w]
            best = max(best, total / n)
    return best


def table(n: int, seed: int) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(n, n))
    scores[np.tril_indices(n, -1)] = np.nan  # nothing answers for windows before its fit
    return scores


@given(n=st.integers(1, 5), promotions=st.integers(0, 3), seed=st.integers(0, 1000))
def test_no_other_timing_is_better(n: int, promotions: int, seed: int) -> None:
    scores = {"all": table(n, seed), "last:1": table(n, seed + 1)}
    found = best_timing(scores, "all", promotions, greater_is_better=True)
    assert found.mean == pytest.approx(tried_all(scores, "all", promotions))
    assert len(found.promotions) <= promotions


def test_of_an_error_the_lowest_is_best() -> None:
    scores = {"all": np.array([[1.0, 5.0], [np.nan, 2.0]])}
    assert best_timing(scores, "all", 1, greater_is_better=False) == (1.5, ((1, "all"),))


def test_a_window_on_which_something_is_not_defined_counts_for_nobody() -> None:
    scores = {"all": np.array([[1.0, np.nan, 3.0], [np.nan, 9.0, 4.0], [np.nan, np.nan, 5.0]])}
    assert best_timing(scores, "all", 1, greater_is_better=True) == (3.0, ((2, "all"),))


def test_where_nothing_is_defined_there_is_no_best() -> None:
    found = best_timing({"all": np.full((2, 2), np.nan)}, "all", 1, greater_is_better=True)
    assert np.isnan(found.mean)
    assert found.promotions == ()
