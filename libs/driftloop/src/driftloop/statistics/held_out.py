"""What rows that were held out tell of a model: what it loses on a row, and whether its scores are the shares that they claim to be."""

from typing import Any

import numpy as np
import numpy.typing as npt

from driftloop.contracts.column_types import Task
from driftloop.contracts.values import Loss
from driftloop.statistics.effect_size import Floats
from driftloop.statistics.profile import CalibrationCurve, HeldOutLoss
from driftloop.statistics.task_metric import ModelOutput

LEAST_ROWS = 50
MOST_BINS = 10
LOSSES: dict[Task, Loss] = {"binary": "squared", "multiclass": "wrong", "regression": "absolute"}


def row_losses(task: Task, labels: npt.NDArray[Any], output: ModelOutput) -> Floats:
    """The loss of each row, by the task's line of LOSSES; see ``HeldOutLoss``."""
    match task:
        case "binary":
            return np.asarray((output.scores - labels.astype(np.float64)) ** 2)
        case "multiclass":
            return np.asarray(output.predictions != labels, dtype=np.float64)
        case "regression":
            return np.asarray(np.abs(output.scores - labels))


def held_out_loss(task: Task, labels: npt.NDArray[Any], output: ModelOutput) -> HeldOutLoss | None:
    """None for fewer rows than LEAST_ROWS, and where labels or scores are no finite numbers."""
    if len(labels) < LEAST_ROWS:
        return None
    losses = row_losses(task, labels, output)
    if not np.isfinite(losses).all():
        return None
    return HeldOutLoss(
        loss=LOSSES[task],
        rows=len(losses),
        mean=float(losses.mean()),
        deviation=float(losses.std()),
        high=float(np.quantile(losses, 0.99, method="higher")),
    )


def calibration_curve(task: Task, labels: npt.NDArray[Any], output: ModelOutput) -> CalibrationCurve | None:
    """Of at most MOST_BINS bins with about as many rows each, equal scores in one; None for a regression and for few rows."""
    scores = output.scores
    if task == "regression" or len(labels) < LEAST_ROWS or not np.isfinite(scores).all():
        return None
    positive = labels.astype(bool) if task == "binary" else output.predictions == labels
    edges = np.unique(np.quantile(scores, np.arange(1, MOST_BINS) / MOST_BINS, method="higher"))
    bins = np.searchsorted(edges, scores, side="left")
    rows = np.bincount(bins, minlength=len(edges) + 1)
    held = rows > 0
    sums = (np.bincount(bins, weights=values, minlength=len(edges) + 1)[held] for values in (scores, positive.astype(np.float64)))
    means, shares = (np.minimum(total / rows[held], 1.0) for total in sums)
    return CalibrationCurve(scores=tuple(means.tolist()), positives=tuple(shares.tolist()), rows=tuple(rows[held].tolist()))
