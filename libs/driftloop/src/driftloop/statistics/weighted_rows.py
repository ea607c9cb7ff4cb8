"""Sums over weighted rows: element-wise, since BLAS threads cost more than they give at this size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftloop.statistics.task_metric import Floats


def mean(weights: Floats, values: Floats) -> float | None:
    """None without a weight."""
    return ratio(float((weights * values).sum()), float(weights.sum()))


def ratio(part: float, whole: float) -> float | None:
    """None of a whole of nothing."""
    return part / whole if whole else None
