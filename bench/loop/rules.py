"""Fixed rules that people use today, each as a timing of the same refits. Pure, over tables of scores.

``scores[f, w]``: of a recipe fitted on all before window f, on window w. A rule says, window after window, from which f on the
answer comes; f = w: it was fitted on all that had happened.
"""

from collections.abc import Callable, Container
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
SCORE_DROP = 2.0  # standard deviations below the mean since the last refit
LEAST_WINDOWS = 2  # that a mean is taken of


class Ruled(NamedTuple):
    """Mean score, and how often the rule refitted."""

    mean: float
    refits: int


def never(scores: Scores) -> Ruled:
    return Ruled(float(np.nanmean(scores[0])), 0)


def always(scores: Scores) -> Ruled:
    """After every window."""
    return Ruled(float(np.nanmean(np.diag(scores))), len(scores) - 1)


def every(scores: Scores, n: int, phase: int) -> Ruled:
    """After every n-th window; ``phase``: which of the first n it begins with."""
    return timed(scores, lambda w, _fitted: (w - 1) % n == phase)


def on_score_drop(scores: Scores, *, greater_is_better: bool) -> Ruled:
    """When the last window was worse than those before it, since the last refit, by more than SCORE_DROP standard deviations."""
    sign = 1.0 if greater_is_better else -1.0

    def fell(w: int, fitted: int) -> bool:
        since = sign * scores[fitted, fitted:w]
        before = since[:-1][np.isfinite(since[:-1])]
        return len(before) >= LEAST_WINDOWS and bool(since[-1] < before.mean() - SCORE_DROP * max(before.std(), 1e-3))

    return timed(scores, fell)


def timed(scores: Scores, refit: Callable[[int, int], bool]) -> Ruled:
    """``refit(w, fitted)``: whether, before window w ≥ 1, a model that was fitted before window ``fitted`` is fitted again."""
    fitted, refits, found = 0, 0, [scores[0, 0]]
    for w in range(1, len(scores)):
        if refit(w, fitted):
            fitted, refits = w, refits + 1
        found.append(scores[fitted, w])
    return Ruled(float(np.nanmean(found)), refits)


def at(scores: Scores, windows: Container[int]) -> Ruled:
    """Fitted again before these windows."""
    return timed(scores, lambda w, _fitted: w in windows)


def share_of_gain(ours: float, never: float, best: float) -> float:
    """How much of what ``best`` gains over ``never`` there is in ``ours``, whichever way the metric points; NaN where it gains nothing."""
    return (ours - never) / (best - never) if best != never else float("nan")
