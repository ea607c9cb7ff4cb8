"""How far back a gain is averaged: over as many windows as make it surer without making it another quantity.

Han, Huang and Wang, Model Assessment and Selection under Temporal Distribution Shift, ICML 2024 (arXiv 2402.08672), section 3: the
mean over the last k windows has a spread that falls with k and a bias that may rise with it. The bias is not known; how far the
means over fewer windows lie from it, beyond what their spreads explain, is a stand-in for it. Taken is the k with the least sum.
Theirs weighs rows within a bounded loss; here a window's gain has its own standard error, so that any metric will do.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple


class Averaged(NamedTuple):
    """The mean gain over the newest ``windows`` windows, and its standard error."""

    gain: float
    error: float
    windows: int

    def lower(self, confidence: float) -> float:
        """The one-sided lower bound at ``confidence``, by the normal approximation."""
        return self.gain - NormalDist().inv_cdf(confidence) * self.error


def look_back(gains: Sequence[tuple[float, float]], confidence: float) -> Averaged:
    """``gains``: (gain, standard error) of each window, oldest first, at least one; errors are not negative.

    Windows weigh alike. Raises ValueError without a window.
    """
    if not gains:
        raise ValueError("no window to average over")
    z = NormalDist().inv_cdf(max(confidence, 0.5 + 1e-9))
    means: list[tuple[float, float]] = []  # of the newest 1, 2, … windows: mean and spread
    total, variance = 0.0, 0.0
    for k, (gain, error) in enumerate(reversed(gains), start=1):
        total, variance = total + gain, variance + error * error
        means.append((total / k, math.sqrt(variance) / k))
    costs = [_bias(means, k, z) + z * spread for k, (_, spread) in enumerate(means)]
    best = min(range(len(means)), key=lambda k: (costs[k], k))
    return Averaged(*means[best], windows=best + 1)


def _bias(means: Sequence[tuple[float, float]], k: int, z: float) -> float:
    """How far the mean over the newest k + 1 windows lies from those over fewer, beyond what both spreads explain."""
    mean, spread = means[k]
    return max(0.0, *(abs(mean - fewer) - z * (spread + theirs) for fewer, theirs in means[: k + 1]))
