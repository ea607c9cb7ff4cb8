"""One model against another on the same rows."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from driftloop.statistics import intervals
from driftloop.statistics.intervals import GAIN_RESAMPLES, value
from driftloop.statistics.metrics import ModelOutput, for_task


def binary(n: int, noise: float, seed: int = 0):
    random = np.random.default_rng(seed)
    truth = random.random(n)
    return truth > 0.7, np.round(truth + random.normal(0, noise, n), 2)


def metric_of(metric: str, labels, values, task: str = "binary"):
    return value(for_task(metric, task), labels, ModelOutput(values, values))


def paired_gain(metric: str, labels, ours, theirs, *, confidence: float, seed: int, task: str = "binary"):
    outputs = (ModelOutput(values, values) for values in (ours, theirs))
    return intervals.paired_gain(for_task(metric, task), labels, *outputs, confidence=confidence, seed=seed)


def test_metrics_are_those_of_scikit_learn():
    labels, scores = binary(500, 0.5)
    assert metric_of("roc_auc", labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    classes = np.array(["a", "b", "c"])[np.arange(500) % 3]
    guesses = np.roll(classes, 1)
    guesses[:100] = classes[:100]
    assert metric_of("accuracy", classes, guesses, "multiclass") == pytest.approx(accuracy_score(classes, guesses))
    assert metric_of("r2", scores, scores + 0.1, "regression") == pytest.approx(r2_score(scores, scores + 0.1))


@pytest.mark.parametrize(
    ("metric", "labels", "values"),
    [("roc_auc", [True, True], [0.1, 0.2]), ("roc_auc", [], []), ("accuracy", [], []), ("r2", [1.0, 1.0], [1.0, 2.0])],
)
def test_a_metric_that_is_not_defined_is_none(metric, labels, values):
    task = "regression" if metric == "r2" else "binary"
    assert metric_of(metric, np.array(labels), np.array(values), task) is None
    assert paired_gain(metric, np.array(labels), np.array(values), np.array(values), confidence=0.8, seed=0, task=task) is None


@pytest.mark.parametrize(("metric", "size"), [("mae", 1e160), ("pinball:0.9", 1e200), ("r2", 1e150)])
def test_a_gain_whose_error_is_no_finite_number_is_none(metric, size):
    """JSON has no such numbers: a record that says so could not be read again."""
    labels = np.random.default_rng(0).normal(size=200)
    wild = np.where(np.arange(200) < 3, size, labels)
    assert metric_of(metric, labels, wild, "regression") is not None
    assert paired_gain(metric, labels, wild, labels * 0.9, confidence=0.8, seed=0, task="regression") is None


def test_the_lower_bound_is_that_of_resampled_rows():
    labels, ours = binary(400, 0.3)
    _, theirs = binary(400, 0.3)
    theirs = theirs + np.random.default_rng(1).normal(0, 0.3, 400)
    random = np.random.default_rng(5)
    gains = []
    for _ in range(500):
        drawn = random.integers(0, 400, 400)
        gains.append(roc_auc_score(labels[drawn], ours[drawn]) - roc_auc_score(labels[drawn], theirs[drawn]))
    gain = paired_gain("roc_auc", labels, ours, theirs, confidence=0.8, seed=5)
    assert gain.lower == pytest.approx(np.quantile(gains, 0.2), abs=1e-12)
    assert gain.gain == pytest.approx(roc_auc_score(labels, ours) - roc_auc_score(labels, theirs))


def test_a_model_gains_nothing_over_itself():
    labels, scores = binary(300, 0.4)
    gain = paired_gain("roc_auc", labels, scores, scores, confidence=0.8, seed=0)
    assert (gain.gain, gain.lower) == (0, 0)


def test_pairing_sees_a_small_gain_that_the_two_intervals_would_hide():
    labels, theirs = binary(3000, 0.5)
    ours = theirs + 0.02 * labels
    gain = paired_gain("roc_auc", labels, ours, theirs, confidence=0.8, seed=0)
    assert 0 < gain.lower < gain.gain < 0.03


def test_the_same_seed_gives_the_same_bound_and_more_confidence_a_lower_one():
    labels, ours = binary(500, 0.4)
    _, theirs = binary(500, 0.4, seed=0)
    theirs = theirs + np.random.default_rng(2).normal(0, 0.2, 500)
    bounds = [paired_gain("roc_auc", labels, ours, theirs, confidence=c, seed=3).lower for c in (0.8, 0.8, 0.99)]
    assert bounds[0] == bounds[1] > bounds[2]


def test_a_window_of_flights_is_compared_in_a_fraction_of_the_time_that_scikit_learns_metric_would_take():
    labels, ours = binary(17_000, 0.5)

    def cpu_seconds(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    one = min(cpu_seconds(lambda: roc_auc_score(labels, ours)) for _ in range(5))
    all_resamples = cpu_seconds(lambda: paired_gain("roc_auc", labels, ours, ours + 0.01 * labels, confidence=0.8, seed=0))
    assert all_resamples < 2 * GAIN_RESAMPLES * one / 4
