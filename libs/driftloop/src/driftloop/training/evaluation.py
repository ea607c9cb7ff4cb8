"""How good is a candidate, and is it better than the champion? Measured on the same rows, with the same resamples."""

from typing import NamedTuple

import numpy as np

from driftloop.contracts.schema import StreamSchema
from driftloop.statistics.metrics import Floats, Values, weighted_metric

RESAMPLES = 500
MAX_RESAMPLED_ROWS = 20_000_000  # resamples × rows: bounds the time


class Gain(NamedTuple):
    """The candidate's metric minus the champion's, with the lower end of its one-sided confidence interval."""

    candidate: float
    champion: float
    gain: float
    lower: float


def metric_of(metric: str, labels: Values, predictions: Values) -> float | None:
    """The metric on these rows; None where it is not defined: no rows, one class only, a constant target."""
    weighted = weighted_metric(metric, labels, predictions) if len(labels) else None
    value = weighted(np.ones(len(labels))) if weighted is not None else float("nan")
    return float(value) if np.isfinite(value) else None


def paired_gain(metric: str, labels: Values, candidate: Values, champion: Values, *, confidence: float, seed: int) -> Gain | None:
    """The gain of ``candidate`` over ``champion`` on one set of rows; None where the metric is not defined on them.

    ``lower`` is the (1 − confidence) quantile over resamples of the rows, both models weighted alike in each: what they
    have in common cancels (paired bootstrap; Efron and Tibshirani, 1993, chapter 13). Seeded, so repeatable.
    """
    n = len(labels)
    ours = weighted_metric(metric, labels, candidate) if n else None
    theirs = weighted_metric(metric, labels, champion) if n else None
    if ours is None or theirs is None:
        return None
    even = np.ones(n)
    a, b = ours(even), theirs(even)
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(max(50, min(RESAMPLES, MAX_RESAMPLED_ROWS // n))):
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        gains.append(ours(weights) - theirs(weights))
    finite = np.array([gain for gain in gains if np.isfinite(gain)])
    if not (np.isfinite(a) and np.isfinite(b) and finite.size):
        return None
    return Gain(candidate=float(a), champion=float(b), gain=float(a - b), lower=float(np.quantile(finite, 1 - confidence)))


def measured_values(metric: str, schema: StreamSchema, predictions: Values, scores: Floats) -> Values:
    """What a metric compares with the labels: scores for ``roc_auc``, predictions for ``accuracy`` and ``r2``."""
    return scores if metric == "roc_auc" else predictions
