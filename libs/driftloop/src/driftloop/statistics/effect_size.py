"""The distance that a verdict is made from: one number in [0, 1] for every kind of column, so that columns can be compared.

Unlike the statistics of ``distances`` it counts missing values, as a category beside the values: a column that goes missing
has moved. Computed for many pairs of histograms at once, since calibration needs thousands.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from driftloop.statistics.profile import Kind

Floats = npt.NDArray[np.float64]


def effect_sizes(kind: Kind, reference: npt.NDArray[Any], current: npt.NDArray[Any]) -> Floats:
    """Distances of histograms in ``Column``'s layout, shape (…, slots), pair by pair; shape (…). 0: the same shares, 1: none in common.

    Ordered columns: Kolmogorov–Smirnov, the larger of the statistics with missing values below all others and above all
    others, so that it is the largest difference in the shares of *missing*, *at most x* and *above x* of all rows, for x among
    the slots' bounds (Kolmogorov 1933; Smirnov 1939). Never above the statistic of the raw values, since it looks at some x only.
    Categories: total variation, half the sum of the shares' differences, with missing and other as categories.

    Both are differences of probabilities, need no stand-in for an empty slot, and are as large for a slot of one row in a
    thousand as that row. A histogram without rows is at distance 0 from any: it says nothing.
    """
    p, q = _shares(reference), _shares(current)
    gap = p - q
    if kind == "ordered":
        at_most = np.cumsum(gap[..., 1:], axis=-1)
        above = at_most[..., -1:] - at_most
        found = np.maximum(np.abs(at_most).max(axis=-1), np.abs(above).max(axis=-1))
    else:
        found = np.abs(gap).sum(axis=-1) / 2
    said = (reference.sum(axis=-1) > 0) & (current.sum(axis=-1) > 0)
    return np.where(said, np.minimum(found, 1.0), 0.0)


def effect_size(kind: Kind, reference: npt.NDArray[Any], current: npt.NDArray[Any]) -> float:
    """``effect_sizes`` of one pair."""
    return float(effect_sizes(kind, reference, current))


def _shares(counts: npt.NDArray[Any]) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(counts / np.maximum(total, 1), dtype=np.float64)
