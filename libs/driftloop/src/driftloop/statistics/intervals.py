"""How sure a metric is: bootstrap intervals of a model on labelled rows, and of the gain of one model over another.

Rows are weighted by how often a resample drew them instead of being copied, so what can be sorted is sorted once. Everything
is seeded: the same rows in the same order give the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftloop.contracts.values import Interval

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats, ModelOutput, TaskMetric, Values

RESAMPLES = 200
CONFIDENCE = 0.9  # two-sided
MAX_RESAMPLED_ROWS = 4_000_000  # resamples × rows: bounds time and memory

GAIN_RESAMPLES = 500
GAIN_MAX_RESAMPLED_ROWS = 20_000_000


class Gain(NamedTuple):
    """Both models' metric, and by how much the candidate is better: below 0 it is worse, whichever way the metric points.

    ``lower`` is the lower end of the gain's one-sided confidence interval.
    """

    candidate: float
    champion: float
    gain: float
    lower: float


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
    metric: TaskMetric, labels: Values, candidate: ModelOutput, champion: ModelOutput, *, confidence: float, seed: int
) -> Gain | None:
    """The gain of ``candidate`` over ``champion`` on one set of rows; None where the metric is not defined on them.

    ``lower`` is the (1 − confidence) quantile over resamples of the rows, both models weighted alike in each: what they
    have in common cancels (paired bootstrap; Efron and Tibshirani, 1993, chapter 13).
    """
    ours, theirs = metric.weighted(labels, candidate), metric.weighted(labels, champion)
    if ours is None or theirs is None:
        return None
    n = len(labels)
    a, b = ours(np.ones(n)), theirs(np.ones(n))
    gains = []
    for weights in _resamples(n, max(50, min(GAIN_RESAMPLES, GAIN_MAX_RESAMPLED_ROWS // n)), seed):
        here, there = ours(weights), theirs(weights)
        if here is not None and there is not None:
            gains.append(metric.gain(here, there))
    if a is None or b is None or not gains:
        return None
    return Gain(candidate=a, champion=b, gain=metric.gain(a, b), lower=float(np.quantile(gains, 1 - confidence)))


def _resamples(n: int, times: int, seed: int) -> Iterator[Floats]:
    """How often each of n rows was drawn, for so many resamples of n rows."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        yield np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
