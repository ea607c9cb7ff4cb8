"""A model's metric on labelled rows, with a bootstrap interval whose cost is bounded."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from driftloop.contracts.values import Interval

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64] | npt.NDArray[np.bool_] | npt.NDArray[np.object_]

RESAMPLES = 200
CONFIDENCE = 0.9  # two-sided
MAX_RESAMPLED_ROWS = 4_000_000  # resamples × rows: bounds time and memory


def measure(metric: str, labels: Values, predictions: Values, seed: int) -> Interval | None:
    """The metric with its percentile bootstrap interval; None where it is not defined (no rows, one class, no variance).

    ``predictions``: scores for ``roc_auc``, predicted values for ``accuracy`` and ``r2``. Higher is better for all three.
    Rows are weighted by how often a resample drew them instead of being copied, so what can be sorted is sorted once.
    Seeded, so the same rows in the same order give the same interval (Efron and Tibshirani, 1993, chapter 13).
    """
    weighted = _WEIGHTED[metric](labels, predictions)
    if weighted is None:
        return None
    n = len(labels)
    value = weighted(np.ones(n))
    if not np.isfinite(value):
        return None
    rng = np.random.default_rng(seed)
    resamples = max(20, min(RESAMPLES, MAX_RESAMPLED_ROWS // n))
    values = np.array([weighted(np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)) for _ in range(resamples)])
    values = values[np.isfinite(values)]
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail]) if values.size else (value, value)
    return Interval(value=float(value), lower=float(lower), upper=float(upper))


def weighted_metric(metric: str, labels: Values, predictions: Values) -> "Callable[[Floats], float] | None":
    """The metric as a function of the rows' weights (how often a resample drew each); None where it is not defined."""
    return _WEIGHTED[metric](labels, predictions)


# Metrics of weighted rows; element-wise sums, since BLAS threads cost more than they give at this size.
_Weighted = Callable[[Floats], float]


def _roc_auc(labels: Values, scores: Values) -> _Weighted | None:
    """Area under the ROC curve as the Mann–Whitney statistic; ties count half."""
    positive = np.asarray(labels, dtype=bool)
    if positive.all() or not positive.any():
        return None
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    hit = positive[order].astype(np.float64)

    def weighted(weights: Floats) -> float:
        w = weights[order]
        up = np.add.reduceat(w * hit, first)
        down = np.add.reduceat(w * (1 - hit), first)
        below = np.cumsum(down) - down
        return _ratio(float((up * (below + down / 2)).sum()), float(up.sum() * down.sum()))

    return weighted


def _accuracy(labels: Values, predictions: Values) -> _Weighted | None:
    """Share of rows whose predicted class is the label."""
    if not len(labels):
        return None
    right = (np.asarray(labels) == np.asarray(predictions)).astype(np.float64)
    return lambda weights: _ratio(float((weights * right).sum()), float(weights.sum()))


def _r2(labels: Values, predictions: Values) -> _Weighted | None:
    """Coefficient of determination: 1 − residual over total sum of squares. Below 0: worse than the mean."""
    y = np.asarray(labels, dtype=np.float64)
    if len(y) < 2 or np.all(y == y[0]):
        return None
    residual = (y - np.asarray(predictions, dtype=np.float64)) ** 2

    def weighted(weights: Floats) -> float:
        mean = (weights * y).sum() / weights.sum()
        return 1 - _ratio(float((weights * residual).sum()), float((weights * (y - mean) ** 2).sum()))

    return weighted


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


_WEIGHTED: dict[str, Callable[[Values, Values], _Weighted | None]] = {"roc_auc": _roc_auc, "accuracy": _accuracy, "r2": _r2}
