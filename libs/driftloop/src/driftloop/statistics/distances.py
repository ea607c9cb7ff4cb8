"""Drift statistics: distances between two histograms with the same slots, one row per statistic in ``STATISTICS``.

Each is called ``distance(reference, current)`` with arrays of shape (…, slots), pair by pair, and gives shape (…), a single number for
a single pair: what a pair's distance is does not depend on the pairs beside it, to the last bit. Histograms of different sizes are
compared at once (``Pairs``) with empty slots behind them, and ``slots``, (…), how many each has. A distance is 0 for equal shares and
grows as they part; totals may differ, and an empty histogram has distance 0 from anything, since it says nothing. A column of one
value is a histogram of one slot: it moves only when rows leave the slot. Leave the slot for missing values out (``Column`` puts it
first): a rise of missing values is told apart from a change of the values.

A new statistic is its function and its row. Monitor, ``datasets diff``, ``driftloop.toml`` and the reference page follow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from driftloop.statistics.optional_numpy import np

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.statistics.profile import Counts, Kind

    Shares = npt.NDArray[np.float64]
    Slots = npt.NDArray[np.int64]

# What an empty slot counts as in psi, else the logarithm fails.
EMPTY_BIN_SHARE = 1e-4


class Pairs:
    """Pairs of histograms, (…, slots), and what several distances are computed from. ``slots``: see the module."""

    def __init__(self, reference: Counts, current: Counts, slots: Slots | None = None) -> None:
        n, m = reference.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
        self.reference, self.current = reference, current
        self.slots = np.asarray(reference.shape[-1] if slots is None else slots)
        self.n, self.m = np.maximum(n, 1), np.maximum(m, 1)  # of an empty one all shares are 0
        self.p: Shares = reference / self.n
        self.q: Shares = current / self.m
        self.said = (n[..., 0] > 0) & (m[..., 0] > 0)

    @cached_property
    def gap(self) -> Shares:
        """Of the cumulative shares, without a sign; 0 where one says nothing."""
        gap = np.cumsum(self.p, axis=-1)
        gap -= np.cumsum(self.q, axis=-1)
        gap[~self.said] = 0.0
        return np.asarray(np.abs(gap, out=gap))

    def total(self, summands: Shares) -> Any:
        """Their sum over the slots; 0 for a pair of which one says nothing."""
        return np.where(self.said, np.sum(summands, axis=-1), 0.0)[()]


class Distance:
    """A function of ``Pairs`` that is also called with reference and current."""

    def __init__(self, of: Callable[[Pairs], Any]) -> None:
        self.of, self.__doc__ = of, of.__doc__

    def __call__(self, reference: Counts, current: Counts) -> Any:
        return self.of(Pairs(reference, current))


@Distance
def psi(pairs: Pairs) -> Any:
    """Population Stability Index in nats: the sum of (current − reference) · ln(current / reference) over shares.

    The symmetrised Kullback–Leibler divergence (Jeffreys 1946; Siddiqi, Credit Risk Scorecards, 2006). Slots are fixed by
    the reference, so the result is not symmetric in the data. An empty slot counts as EMPTY_BIN_SHARE. Few rows raise it:
    its mean without drift is about (slots − 1)(1/n + 1/m).
    """
    p, q = np.maximum(pairs.p, EMPTY_BIN_SHARE), np.maximum(pairs.q, EMPTY_BIN_SHARE)
    return pairs.total((q - p) * np.log(q / p))


@Distance
def ks(pairs: Pairs) -> Any:
    """Kolmogorov–Smirnov statistic in [0, 1]: the largest gap between the two cumulative shares. Ordered slots only.

    Seen at the slots' upper bounds, so at most the statistic of the raw values (Kolmogorov 1933; Smirnov 1939).
    """
    return np.max(pairs.gap, axis=-1, initial=0.0)


@Distance
def js(pairs: Pairs) -> Any:
    """Jensen–Shannon distance in [0, 1]: the root of the divergence to base 2 (Lin 1991; Endres and Schindelin 2003).

    Symmetric, and an empty slot needs no stand-in.
    """
    p, q = pairs.p, pairs.q
    middle = (p + q) / 2
    middle += middle == 0  # where neither has a row nothing is added
    p_ratio, q_ratio = p / middle, q / middle
    bits = pairs.total(p * np.log2(p_ratio + (p == 0)) + q * np.log2(q_ratio + (q == 0)))
    return np.sqrt(np.maximum(0.0, bits / 2))


@Distance
def wasserstein(pairs: Pairs) -> Any:
    """Earth mover's distance in [0, 1], with slots one apart and the whole range as unit. Ordered slots only.

    On quantile slots this is the mean shift in ranks of the reference, free of the column's unit (Vallender 1974:
    the area between the two cumulative distributions).
    """
    before_last = np.arange(pairs.gap.shape[-1]) < pairs.slots[..., None] - 1
    return np.sum(pairs.gap * before_last, axis=-1) / np.maximum(1, pairs.slots - 1)


@Distance
def chi_squared(pairs: Pairs) -> Any:
    """Pearson's χ² of the two-row table, unbounded and growing with the rows: both histograms are taken as samples.

    Press et al., Numerical Recipes, 3rd edition, eq. 14.3.3. Slots empty in both do not count.
    """
    difference = pairs.reference * np.sqrt(pairs.m / pairs.n) - pairs.current * np.sqrt(pairs.n / pairs.m)
    return pairs.total(difference**2 / np.maximum(pairs.reference + pairs.current, 1))


class Statistic(NamedTuple):
    """One row of the table. A column of a kind that is not among ``kinds`` has no such distance.

    ``threshold``: a column whose distance is above it has drifted, unless the project declares another; None: the
    statistic is reported, and alarmed on only where a project declares a threshold for it.
    """

    name: str
    distance: Distance
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
