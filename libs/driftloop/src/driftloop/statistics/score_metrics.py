"""Metrics of scores and of class probabilities: how a model ranks rows, and how far it is to be believed.

A class that the model does not know has probability 0 in every row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftloop.contracts.class_probabilities import ROUNDING
from driftloop.statistics.optional_numpy import np
from driftloop.statistics.task_metric import Form, Metric, Weighted
from driftloop.statistics.weighted_rows import mean, ratio

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, Values


def _roc_auc(labels: Values, scores: Floats) -> Weighted | None:
    """Area under the ROC curve as the Mann–Whitney statistic; ties count half (Hanley and McNeil 1982)."""
    positive = np.asarray(labels, dtype=bool)
    if positive.all() or not positive.any():
        return None
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    hit = positive[order].astype(np.float64)

    def weighted(weights: Floats) -> float | None:
        w = weights[order]
        up = np.add.reduceat(w * hit, first)
        down = np.add.reduceat(w * (1 - hit), first)
        below = np.cumsum(down) - down
        return ratio(float((up * (below + down / 2)).sum()), float(up.sum() * down.sum()))

    return weighted


def _roc_auc_one_vs_rest(labels: Values, probabilities: Floats, classes: tuple[str, ...]) -> Weighted | None:
    """Unweighted (macro) mean over the classes among the labels of the ROC AUC of each against the rest (Fawcett 2006, section 9)."""
    present = np.unique(labels)
    curves = [_roc_auc(labels == name, _column(probabilities, classes, name)) for name in present]
    known = [curve for curve in curves if curve is not None]

    def weighted(weights: Floats) -> float | None:
        values = [area for area in (curve(weights) for curve in known) if area is not None]
        return sum(values) / len(values) if values else None

    return weighted


def _average_precision(labels: Values, scores: Floats) -> Weighted | None:
    """Mean of the precision at each threshold, weighted by the recall that it adds, without interpolation (Zhu 2004).

    Rows with equal scores enter together. Without positives there is no recall, without negatives nothing to rank.
    """
    positive = np.asarray(labels, dtype=bool)
    descending = -np.asarray(scores, dtype=np.float64)
    order = np.argsort(descending, kind="stable")
    ranked = descending[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    hit = positive[order].astype(np.float64)

    def weighted(weights: Floats) -> float | None:
        w = weights[order]
        up = np.add.reduceat(w * hit, first)
        down = np.add.reduceat(w * (1 - hit), first)
        if not down.any():
            return None
        found, taken = np.cumsum(up), np.cumsum(up + down)
        gained = up > 0  # so that something was taken
        return ratio(float((up[gained] * found[gained] / taken[gained]).sum()), float(up.sum()))

    return weighted


def _log_loss(labels: Values, scores: Floats) -> Weighted | None:
    """Mean of −ln P(label), in nats (Good 1952); a probability of 0 counts as the smallest step of a float."""
    return _logarithmic(np.where(labels, scores, 1 - np.asarray(scores)))


def _log_loss_of_classes(labels: Values, probabilities: Floats, classes: tuple[str, ...]) -> Weighted | None:
    """The same on the probability of the label's class."""
    return _logarithmic(_of_label(labels, probabilities, classes))


def _logarithmic(of_label: Floats) -> Weighted | None:
    if not _are_probabilities(of_label):
        return None
    smallest = float(np.finfo(np.float64).eps)
    loss = -np.log(np.clip(of_label, smallest, 1 - smallest))
    return lambda weights: mean(weights, loss)


def _brier(labels: Values, scores: Floats) -> Weighted | None:
    """Mean squared distance of P(true) from 1 for true and 0 for false (Brier 1950, halved as is usual for two classes)."""
    if not _are_probabilities(scores):
        return None
    squared = (np.asarray(labels, dtype=np.float64) - np.asarray(scores)) ** 2
    return lambda weights: mean(weights, squared)


def _brier_of_classes(labels: Values, probabilities: Floats, classes: tuple[str, ...]) -> Weighted | None:
    """Mean over rows of the squared distance summed over classes, 0 to 2 (Brier 1950).

    Not halved for two classes: how many there are differs between models of one target, and their scores are compared.
    """
    if not _are_probabilities(probabilities):
        return None
    of_label = _of_label(labels, probabilities, classes)
    squared = (np.asarray(probabilities) ** 2).sum(axis=1) - of_label**2 + (1 - of_label) ** 2
    return lambda weights: mean(weights, squared)


def _column(probabilities: Floats, classes: tuple[str, ...], name: str) -> Floats:
    return probabilities[:, classes.index(name)] if name in classes else np.zeros(len(probabilities))


def _of_label(labels: Values, probabilities: Floats, classes: tuple[str, ...]) -> Floats:
    found = np.zeros(len(labels))
    for name in np.unique(labels):
        rows = labels == name
        found[rows] = _column(probabilities, classes, name)[rows]
    return found


def _are_probabilities(values: Floats) -> bool:
    return bool(np.min(values) >= -ROUNDING and np.max(values) <= 1 + ROUNDING)


ROWS = (
    Metric(
        "roc_auc",
        {"binary": Form("scores", _roc_auc), "multiclass": Form("probabilities", _roc_auc_one_vs_rest)},
        greater_is_better=True,
        undefined="of one class",
        meaning="area under the ROC curve; of several classes the unweighted mean of each against the rest",
        proposed_for=("binary",),
    ),
    Metric(
        "average_precision",
        {"binary": Form("scores", _average_precision)},
        greater_is_better=True,
        undefined="of one class",
        meaning="area under the steps of precision over recall",
    ),
    Metric(
        "log_loss",
        {"binary": Form("scores", _log_loss), "multiclass": Form("probabilities", _log_loss_of_classes)},
        greater_is_better=False,
        undefined="with a score that is no probability",
        meaning="mean of −ln of the label's probability, in nats",
    ),
    Metric(
        "brier",
        {"binary": Form("scores", _brier), "multiclass": Form("probabilities", _brier_of_classes)},
        greater_is_better=False,
        undefined="with a score that is no probability",
        meaning="Brier score: mean squared distance of the probabilities from the truth",
    ),
)
