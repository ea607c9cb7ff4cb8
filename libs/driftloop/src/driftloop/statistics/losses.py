"""What a model loses on a row, in [0, 1]: what a loss alarm watches, whatever the metric is. Means of bounded numbers can be bet on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftloop.contracts.values import LossMean
from driftloop.statistics.profile import SCORE, HeldOutLoss, Profile

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftloop.contracts.column_types import Task
    from driftloop.contracts.values import Loss
    from driftloop.statistics.task_metric import Values

_OUTER = 0.05  # tails of the predictions that are no part of their spread


def mean_loss(task: Task, labels: Values, predictions: Values, scores: npt.NDArray[np.float64], scale: float | None) -> LossMean | None:
    """Over n labelled and scored rows; None where it is not defined: without a row, of a regression without a ``scale``.

    A binary score that is no probability is judged by the prediction, as several classes are. Rows of a regression whose numbers are
    not finite are left out.
    """
    found = row_losses(task, labels, predictions, scores, scale)
    if found is None:
        return None
    loss, values = found
    values = values[np.isfinite(values)]
    return None if not len(values) else LossMean(loss=loss, mean=float(min(1.0, values.mean())), rows=len(values), scale=_of(loss, scale))


def row_losses(
    task: Task, labels: Values, predictions: Values, scores: npt.NDArray[np.float64], scale: float | None
) -> tuple[Loss, npt.NDArray[np.float64]] | None:
    """Which loss, and each row's, of a regression NaN where its numbers are not finite; None as of ``mean_loss``."""
    if task == "regression":
        if scale is None:
            return None
        with np.errstate(all="ignore"):
            errors = np.abs(np.asarray(labels, np.float64) - np.asarray(predictions, np.float64))
            return "absolute", np.where(np.isfinite(errors), np.minimum(errors, scale) / scale, np.nan)
    if not len(labels):
        return None
    if task == "binary" and np.all((scores >= 0) & (scores <= 1)):
        return "squared", (np.asarray(scores, np.float64) - np.asarray(labels, np.float64)) ** 2
    return "wrong", np.asarray(labels != predictions, np.float64)


def _of(loss: Loss, scale: float | None) -> float | None:
    return scale if loss == "absolute" else None


def error_scale(profile: Profile) -> float | None:
    """The error of a regression that counts as 1, in the target's unit: what 99 of 100 held-out rows stay below.

    Where that was not measured: between the 5th and the 95th percentile of what the version predicted in training. None where it predicts
    one number only.
    """
    held_out = profile.held_out_loss
    if isinstance(held_out, HeldOutLoss) and held_out.loss == "absolute" and held_out.high > 0:
        return held_out.high
    column = profile.columns.get(SCORE)
    if column is None or not column.uppers:
        return None
    inner = column.reference[2:-1]
    if not inner.sum():
        return None
    share = np.cumsum(inner) / inner.sum()
    low, high = (column.uppers[int(np.searchsorted(share, tail))] for tail in (_OUTER, 1 - _OUTER))
    low = column.low if high <= low else low
    return float(high - low) if np.isfinite(high - low) and high > low else None
