"""A metric's bootstrap interval holds its value, is as wide as theory says, and repeatable."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from driftloop.statistics.intervals import measure
from driftloop.statistics.metrics import ModelOutput, for_task

RNG = np.random.default_rng(0)
LABELS = RNG.random(3000) < 0.3
SCORES = np.round(RNG.random(3000) * 0.7 + LABELS * 0.2, 2)  # with ties
NUMBERS = RNG.normal(size=3000)
CASES = {
    "roc_auc": ("binary", LABELS, SCORES, roc_auc_score),
    "accuracy": ("binary", LABELS, SCORES > 0.5, accuracy_score),
    "r2": ("regression", NUMBERS, NUMBERS + RNG.normal(scale=0.3, size=3000), r2_score),
}


def measured(metric, task, labels, values, seed=0):
    return measure(for_task(metric, task), labels, ModelOutput(values, values), seed)


@pytest.mark.parametrize("metric", CASES)
def test_the_value_is_scikit_learns_and_lies_in_its_interval(metric):
    task, labels, predictions, reference = CASES[metric]
    interval = measured(metric, task, labels, predictions)
    assert interval is not None
    assert interval.value == pytest.approx(reference(labels, predictions))
    assert interval.lower < interval.value < interval.upper
    assert interval.upper - interval.lower < 0.1


@pytest.mark.parametrize("metric", CASES)
def test_the_same_rows_give_the_same_interval(metric):
    task, labels, predictions, _ = CASES[metric]
    assert measured(metric, task, labels, predictions, seed=3) == measured(metric, task, labels, predictions, seed=3)
    assert measured(metric, task, labels, predictions, seed=3) != measured(metric, task, labels, predictions, seed=4)


def test_the_interval_is_about_as_wide_as_theory_says():
    right = RNG.random(2000) < 0.8
    interval = measured("accuracy", "binary", np.ones(2000, dtype=bool), right)
    assert interval is not None
    assert (interval.upper - interval.lower) / 2 == pytest.approx(1.645 * np.sqrt(0.8 * 0.2 / 2000), rel=0.25)


def test_categories_are_compared_by_name():
    labels, predictions = (np.array(list(word), dtype=object) for word in ("abbc", "abcc"))
    interval = measured("accuracy", "multiclass", labels, predictions)
    assert interval is not None
    assert interval.value == 0.75


@pytest.mark.parametrize(
    ("metric", "task", "labels"),
    [
        ("roc_auc", "binary", np.array([], dtype=bool)),
        ("roc_auc", "binary", np.array([True, True])),
        ("accuracy", "binary", np.array([], dtype=bool)),
        ("r2", "regression", np.array([1.0])),
        ("r2", "regression", np.array([2.0, 2.0])),
    ],
)
def test_a_metric_that_is_not_defined_is_absent(metric, task, labels):
    assert measured(metric, task, labels, np.zeros(len(labels))) is None
