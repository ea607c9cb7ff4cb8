"""Many windows on few pixels: cells by their maximum, so that no alarm is lost; series with the extent of what a point stands for."""

import numpy as np

from driftloop_console.columns import Array

MAX_POINTS = 4_000


def groups(rows: int, points: int) -> Array:
    """Where each of at most ``points`` groups of neighbours begins, of equal sizes but for one row. Empty for no rows."""
    points = max(1, min(points, MAX_POINTS))
    if rows <= points:
        return np.arange(rows)
    found: Array = np.unique(np.linspace(0, rows, points, endpoint=False).astype("i8"))
    return found


def pooled(cells: Array, starts: Array) -> Array:
    """The largest cell of each group, column by column: rows × columns in, groups × columns out."""
    if len(starts) in (0, len(cells)):
        return cells
    found: Array = np.maximum.reduceat(cells, starts, axis=0)
    return found


def weighted(values: Array, weights: Array, starts: Array) -> Array:
    """The mean of each group, weighted; NaN counts for nothing, and is the mean of a group that has nothing else."""
    if len(starts) in (0, len(values)):
        return values
    known = np.isfinite(values)
    counted = np.where(known, np.maximum(weights, 1e-9), 0.0)
    total, weight = (np.add.reduceat(part, starts) for part in (np.where(known, values, 0.0) * counted, counted))
    found: Array = np.divide(total, weight, out=np.full(len(starts), np.nan), where=weight > 0)
    return found


def lowest(values: Array, starts: Array) -> Array:
    """Of each group; NaN where there is nothing else."""
    return _extreme(values, starts, np.fmin)


def highest(values: Array, starts: Array) -> Array:
    return _extreme(values, starts, np.fmax)


def _extreme(values: Array, starts: Array, of: np.ufunc) -> Array:
    if len(starts) in (0, len(values)):
        return values
    found: Array = of.reduceat(values, starts)
    return found
