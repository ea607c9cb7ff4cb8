"""How sure a metric is: bootstrap intervals of a model on labelled rows, and of the gain of one model over another.

Rows are weighted by how often a resample drew them instead of being copied, so what can be sorted is sorted once. Everything
is seeded: the same rows in the same order give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftloop.contracts.values import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.statistics.task_metric import Floats, ModelOutput, TaskMetric, Values

    Keys = npt.NDArray[np.int64]

RESAMPLES = 200
CONFIDENCE = 0.9  # two-sided
MAX_RESAMPLED_ROWS = 4_000_000  # resamples × rows: bounds time and memory

GAIN_RESAMPLES = 500
GAIN_MAX_RESAMPLED_ROWS = 20_000_000


class Gain(NamedTuple):
    """Both models' metric, and by how much the candidate is better: below 0 it is worse, whichever way the metric points.

    ``lower`` is the lower end of the gain's one-sided confidence interval, ``error`` its standard error.
    """

    candidate: float
    champion: float
    gain: float
    lower: float
    error: float


def value(metric: TaskMetric, labels: Values, output: ModelOutput) -> float | None:
    """The metric on these rows; None where it is not defined, which ``metric.why_undefined`` explains."""
    weighted = metric.weighted(labels, output)
    return None if weighted is None else weighted(np.ones(len(labels)))


def measure(metric: TaskMetric, labels: Values, output: ModelOutput, seed: int) -> Interval | None:
    """The metric with its percentile bootstrap interval at CONFIDENCE; None where it is not defined.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Resamples on which the metric is not defined
    are left out; when it is defined on none, the interval is the value alone.
    """
    weighted = metric.weighted(labels, output)
    found = None if weighted is None else weighted(np.ones(len(labels)))
    if weighted is None or found is None:
        return None
    n = len(labels)
    drawn = _resamples(n, max(20, min(RESAMPLES, MAX_RESAMPLED_ROWS // n)), seed)
    values = [resampled for resampled in map(weighted, drawn) if resampled is not None]
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail]) if values else (found, found)
    return Interval(value=found, lower=float(lower), upper=float(upper))


def paired_gain(
    metric: TaskMetric,
    labels: Values,
    candidate: ModelOutput,
    champion: ModelOutput,
    *,
    confidence: float,
    seed: int,
    keys: Keys | None = None,
) -> Gain | None:
    """The gain of ``candidate`` over ``champion`` on one set of rows; None where the metric is not defined on them, or so large that a
    float cannot hold the square of it: a record has no place for endless numbers.

    ``lower`` is the (1 − confidence) quantile over resamples, both models weighted alike in each: what they have in common cancels
    (paired bootstrap; Efron and Tibshirani, 1993, chapter 13). ``keys``: a number for each row; rows that share one are not independent
    of each other, and are drawn together (cluster bootstrap; Field and Welsh 2007). None: each row is drawn for itself.
    """
    ours, theirs = metric.weighted(labels, candidate), metric.weighted(labels, champion)
    if ours is None or theirs is None:
        return None
    n, gains = len(labels), []
    a, b = ours(np.ones(n)), theirs(np.ones(n))
    key_of = np.arange(n) if keys is None else np.unique(keys, return_inverse=True)[1]
    for drawn in _resamples(int(key_of.max()) + 1, max(50, min(GAIN_RESAMPLES, GAIN_MAX_RESAMPLED_ROWS // n)), seed):
        weights = drawn[key_of]
        here, there = ours(weights), theirs(weights)
        if here is not None and there is not None:
            gains.append(metric.gain(here, there))
    if a is None or b is None or not gains:
        return None
    with np.errstate(all="ignore"):
        lower, error = float(np.quantile(gains, 1 - confidence)), float(np.std(gains))
    found = Gain(candidate=a, champion=b, gain=metric.gain(a, b), lower=lower, error=error)
    return found if all(map(math.isfinite, found)) else None


def _resamples(n: int, times: int, seed: int) -> Iterator[Floats]:
    """How often each of n was drawn, for so many resamples of n."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        yield np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
