"""Drift statistics: distances between two histograms with the same slots, one row per statistic in ``STATISTICS``.

Each is called ``distance(reference, current)``, is 0 for equal shares and grows as they part; totals may differ, and an empty
histogram has distance 0 from anything, since it says nothing. A column of one value is a histogram of one slot: it moves
only when rows leave the slot. Leave the slot for missing values out (``Column`` puts it first): a rise of missing values
is told apart from a change of the values.

A new statistic is its function and its row. Monitor, ``datasets diff``, ``driftloop.toml`` and the reference page follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from driftloop.statistics.optional_numpy import np

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.statistics.profile import Counts, Kind

    Shares = npt.NDArray[np.float64]

# What an empty slot counts as in psi, else the logarithm fails.
EMPTY_BIN_SHARE = 1e-4


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


class Statistic(NamedTuple):
    """One row of the table. A column of a kind that is not among ``kinds`` has no such distance.

    ``threshold``: a column whose distance is above it has drifted, unless the project declares another; None: the
    statistic is reported, and alarmed on only where a project declares a threshold for it.
    """

    name: str
    distance: Callable[[Counts, Counts], float]
    kinds: frozenset[Kind]
    threshold: float | None
    unit: str
    meaning: str  # a line of the reference page


_ORDERED: frozenset[Kind] = frozenset({"ordered"})
_BOTH: frozenset[Kind] = frozenset({"ordered", "category"})  # a category's slots have no order

# Thresholds are those that practice uses for effect sizes, the same at any number of rows, until they are calibrated.
STATISTICS: dict[str, Statistic] = {
    row.name: row
    for row in (
        Statistic("psi", psi, _BOTH, 0.25, "nats", "Population Stability Index; few rows raise it"),
        Statistic("ks", ks, _ORDERED, 0.2, "0 to 1", "Kolmogorov–Smirnov: largest gap between the cumulative shares"),
        Statistic("js", js, _BOTH, None, "0 to 1", "Jensen–Shannon distance, to base 2"),
        Statistic("wasserstein", wasserstein, _ORDERED, None, "share of the range", "earth mover's distance in ranks of the reference"),
        Statistic("chi_squared", chi_squared, _BOTH, None, "none", "Pearson's χ² of two samples; grows with the rows"),
    )
}

# The statistic that columns are ranked by, and whose value, threshold and column a decision carries as evidence. It has to
# apply to every column and to have a threshold.
RANKED_BY = "psi"


def _shares(counts: Counts) -> Shares:
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _cumulative_gap(reference: Counts, current: Counts) -> Shares:
    if not reference.sum() or not current.sum():
        return np.zeros(reference.size)
    return np.asarray(np.cumsum(_shares(reference)) - np.cumsum(_shares(current)))


def _kl_bits(p: Shares, q: Shares) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))
