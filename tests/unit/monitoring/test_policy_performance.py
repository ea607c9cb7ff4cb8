"""Metrics on labelled rows agree with scikit-learn's, and their intervals are repeatable and bounded."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from driftloop.statistics.metrics import measure

RNG = np.random.default_rng(0)
LABELS = RNG.random(3000) < 0.3
SCORES = np.round(RNG.random(3000) * 0.7 + LABELS * 0.2, 2)  # with ties
NUMBERS = RNG.normal(size=3000)
CASES = {
    "roc_auc": (LABELS, SCORES, roc_auc_score),
    "accuracy": (LABELS, SCORES > 0.5, accuracy_score),
    "r2": (NUMBERS, NUMBERS + RNG.normal(scale=0.3, size=3000), r2_score),
}


@pytest.mark.parametrize("metric", CASES)
def test_the_value_is_scikit_learns_and_lies_in_its_interval(metric):
    labels, predictions, reference = CASES[metric]
    interval = measure(metric, labels, predictions, seed=0)
    assert interval is not None
    assert interval.value == pytest.approx(reference(labels, predictions))
    assert interval.lower < interval.value < interval.upper
    assert interval.upper - interval.lower < 0.1


@pytest.mark.parametrize("metric", CASES)
def test_the_same_rows_give_the_same_interval(metric):
    labels, predictions, _ = CASES[metric]
    assert measure(metric, labels, predictions, seed=3) == measure(metric, labels, predictions, seed=3)


def test_the_interval_is_about_as_wide_as_theory_says():
    right = RNG.random(2000) < 0.8
    interval = measure("accuracy", np.ones(2000, dtype=bool), right, seed=0)
    assert interval is not None
    assert (interval.upper - interval.lower) / 2 == pytest.approx(1.645 * np.sqrt(0.8 * 0.2 / 2000), rel=0.25)


def test_categories_are_compared_by_name():
    interval = measure("accuracy", np.array(["a", "b", "b", "c"], dtype=object), np.array(["a", "b", "c", "c"], dtype=object), seed=0)
    assert interval is not None
    assert interval.value == 0.75


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("roc_auc", np.array([], dtype=bool)),
        ("roc_auc", np.array([True, True])),
        ("accuracy", np.array([], dtype=bool)),
        ("r2", np.array([1.0])),
        ("r2", np.array([2.0, 2.0])),
    ],
)
def test_a_metric_that_is_not_defined_is_absent(metric, labels):
    assert measure(metric, labels, np.zeros(len(labels)), seed=0) is None
