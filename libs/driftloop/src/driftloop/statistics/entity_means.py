"""By how much the mean loss of some rows lies above that of others, and how sure that is, when rows of one entity are not independent.

The mean over n rows of G entities has the standard error sqrt(G / (G − 1) · Σ_g (Σ_{i in g} (x_i − mean))²) / n: linearised ratio
estimator, entities drawn with all of their rows (Cochran, Sampling Techniques, 1977, chapter 9A; Liang and Zeger 1986 for the same sum).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Keys = npt.NDArray[np.int64]

LEAST_ENTITIES = 10  # of each side: of fewer, nobody knows how much entities differ


class Mean(NamedTuple):
    """Of ``rows`` rows, with its standard error."""

    value: float
    error: float
    rows: int


def entity_mean(values: Floats, keys: Keys) -> Mean | None:
    """``keys``: a number from 0 on for each row's entity. None of fewer than LEAST_ENTITIES."""
    if not len(values):
        return None
    entities, of_row = np.unique(keys, return_inverse=True)
    groups = len(entities)
    if groups < LEAST_ENTITIES:
        return None
    value = float(values.mean())
    sums = np.bincount(of_row, weights=values - value, minlength=groups)
    error = math.sqrt(groups / (groups - 1) * float(np.sum(sums**2))) / len(values)
    return Mean(value, error, len(values))


def difference(ours: Mean, theirs: Mean) -> tuple[float, float]:
    """Ours less theirs, of two groups that share no entity, and its standard error."""
    return ours.value - theirs.value, math.hypot(ours.error, theirs.error)
