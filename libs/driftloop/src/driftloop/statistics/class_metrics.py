"""Metrics of predicted classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftloop.statistics.optional_numpy import np
from driftloop.statistics.task_metric import Form, Metric, Weighted
from driftloop.statistics.weighted_rows import mean, ratio

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, Values


def _accuracy(labels: Values, predictions: Values) -> Weighted:
    """Share of rows whose predicted class is the label."""
    right = (np.asarray(labels) == np.asarray(predictions)).astype(np.float64)
    return lambda weights: mean(weights, right)


def _f1(labels: Values, predictions: Values) -> Weighted:
    """Harmonic mean of precision and recall of true (van Rijsbergen 1979): 2·hits / (predicted + labelled)."""
    labelled, predicted = (np.asarray(values).astype(np.float64) for values in (labels, predictions))
    hits = labelled * predicted
    return lambda weights: ratio(2 * float((weights * hits).sum()), float((weights * (labelled + predicted)).sum()))


def _f1_macro(labels: Values, predictions: Values) -> Weighted:
    """Unweighted (macro) mean of each class's F1, over the classes among labels and predictions."""
    of_label, of_prediction, classes = _codes(labels, predictions)
    hits = of_label == of_prediction

    def weighted(weights: Floats) -> float | None:
        right = np.bincount(of_label, weights * hits, classes)
        there = np.bincount(of_label, weights, classes) + np.bincount(of_prediction, weights, classes)
        return float(np.mean(2 * right[there > 0] / there[there > 0]))

    return weighted


def _balanced_accuracy(labels: Values, predictions: Values) -> Weighted:
    """Unweighted mean of each class's recall, over the classes among the labels (Brodersen et al. 2010)."""
    of_label, of_prediction, classes = _codes(labels, predictions)
    hits = of_label == of_prediction

    def weighted(weights: Floats) -> float | None:
        right, there = np.bincount(of_label, weights * hits, classes), np.bincount(of_label, weights, classes)
        return float(np.mean(right[there > 0] / there[there > 0]))

    return weighted


def _codes(labels: Values, predictions: Values) -> tuple[Any, Any, int]:
    """Classes as numbers, and how many there are."""
    classes, codes = np.unique(np.concatenate([np.asarray(labels), np.asarray(predictions)]), return_inverse=True)
    return codes[: len(labels)], codes[len(labels) :], len(classes)


ROWS = (
    Metric(
        "accuracy",
        {"binary": Form("predictions", _accuracy), "multiclass": Form("predictions", _accuracy)},
        greater_is_better=True,
        undefined="",
        meaning="share of rows whose predicted class is the label",
        proposed_for=("multiclass",),
        of_hits=True,
    ),
    Metric(
        "f1",
        {"binary": Form("predictions", _f1), "multiclass": Form("predictions", _f1_macro)},
        greater_is_better=True,
        undefined="where nothing is true and nothing was predicted to be",
        meaning="harmonic mean of precision and recall of true; of several classes the unweighted mean of each class's",
    ),
    Metric(
        "balanced_accuracy",
        {"binary": Form("predictions", _balanced_accuracy), "multiclass": Form("predictions", _balanced_accuracy)},
        greater_is_better=True,
        undefined="",
        meaning="unweighted mean of each class's recall, over the classes among the labels",
    ),
)
