"""Distances between two histograms with the same slots, all called ``distance(reference, current)``.

Each is 0 for equal shares and grows as they part; totals may differ, and an empty histogram has distance 0 from anything,
since it says nothing. Leave the slot for missing values out (``Column`` puts it first): a rise of missing values is told
apart from a change of the values. Thresholds: the project's constants, or the profile's once calibrated.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from driftloop.statistics.profile import Column, Counts

# What an empty slot counts as in psi, else the logarithm fails.
EMPTY_BIN_SHARE = 1e-4

Shares = npt.NDArray[np.float64]


def psi(reference: Counts, current: Counts) -> float:
    """Population Stability Index in nats: the sum of (current − reference) · ln(current / reference) over shares.

    The symmetrised Kullback–Leibler divergence (Jeffreys 1946; Siddiqi, Credit Risk Scorecards, 2006). Slots are fixed by
    the reference, so the result is not symmetric in the data. An empty slot counts as EMPTY_BIN_SHARE. Few rows raise it:
    its mean without drift is about (slots − 1)(1/n + 1/m).
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p = np.maximum(_shares(reference), EMPTY_BIN_SHARE)
    q = np.maximum(_shares(current), EMPTY_BIN_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))


def ks(reference: Counts, current: Counts) -> float:
    """Kolmogorov–Smirnov statistic in [0, 1]: the largest gap between the two cumulative shares. Ordered slots only.

    Seen at the slots' upper bounds, so at most the statistic of the raw values (Kolmogorov 1933; Smirnov 1939).
    """
    return float(np.max(np.abs(_cumulative_gap(reference, current)), initial=0.0))


def js(reference: Counts, current: Counts) -> float:
    """Jensen–Shannon distance in [0, 1]: the root of the divergence to base 2 (Lin 1991; Endres and Schindelin 2003).

    Symmetric, and an empty slot needs no stand-in.
    """
    if not reference.sum() or not current.sum():
        return 0.0
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    return float(np.sqrt(max(0.0, (_kl_bits(p, middle) + _kl_bits(q, middle)) / 2)))


def wasserstein(reference: Counts, current: Counts) -> float:
    """Earth mover's distance in [0, 1], with slots one apart and the whole range as unit. Ordered slots only.

    On quantile slots this is the mean shift in ranks of the reference, free of the column's unit (Vallender 1974:
    the area between the two cumulative distributions).
    """
    gap = _cumulative_gap(reference, current)
    return float(np.sum(np.abs(gap[:-1])) / (gap.size - 1)) if gap.size > 1 else 0.0


def chi_squared(reference: Counts, current: Counts) -> float:
    """Pearson's χ² of the two-row table, unbounded and growing with the rows: both histograms are taken as samples.

    Press et al., Numerical Recipes, 3rd edition, eq. 14.3.3. Slots empty in both do not count.
    """
    n, m = reference.sum(), current.sum()
    if not n or not m:
        return 0.0
    total = (reference + current).astype(np.float64)
    used = total > 0
    difference = reference[used] * np.sqrt(m / n) - current[used] * np.sqrt(n / m)
    return float(np.sum(difference**2 / total[used]))


ORDERED: dict[str, Callable[[Counts, Counts], float]] = {
    "psi": psi,
    "ks": ks,
    "js": js,
    "wasserstein": wasserstein,
    "chi_squared": chi_squared,
}
# For categories, whose slots have no order.
NOMINAL = {name: ORDERED[name] for name in ("psi", "js", "chi_squared")}


class ColumnShares(NamedTuple):
    """Parts of a histogram's rows, each in [0, 1]; 0 for no rows. ``unseen`` holds categories too rare to be named, too."""

    missing: float
    unseen: float
    out_of_range: float


def shares(column: Column, counts: Counts) -> ColumnShares:
    """What of the rows had no value, a category without a slot, or a value outside the training data's range."""
    rows = int(counts.sum())
    if not rows:
        return ColumnShares(0.0, 0.0, 0.0)
    missing = float(counts[0] / rows)
    if column.kind == "category":
        return ColumnShares(missing, float(counts[-1] / rows), 0.0)
    return ColumnShares(missing, 0.0, float((counts[1] + counts[-1]) / rows))


def _shares(counts: Counts) -> Shares:
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _cumulative_gap(reference: Counts, current: Counts) -> Shares:
    if not reference.sum() or not current.sum():
        return np.zeros(reference.size)
    return np.asarray(np.cumsum(_shares(reference)) - np.cumsum(_shares(current)))


def _kl_bits(p: Shares, q: Shares) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))
