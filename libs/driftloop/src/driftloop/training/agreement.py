"""A rebuilt model beside the recorded one, on the same rows. Run in the training process."""

from typing import Any

import numpy as np

from driftloop.artifact import skops_file
from driftloop.errors import IntegrityError, UserError
from driftloop.project.model import Project
from driftloop.training.evaluation import measured_values, metric_of
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.job import Agreement
from driftloop.training.user_code import call


def agreement(
    project: Project, rows: TrainingRows, mask: Mask, *, recorded: bytes, rebuilt: bytes, predictions: Any, scores: Any
) -> Agreement:
    """``predictions`` and ``scores`` are the rebuilt model's on the masked rows. The same bytes are not scored again."""
    theirs = predictions, scores
    if recorded != rebuilt:
        try:
            pipeline = skops_file.load(recorded, project.training.trusted_types)
            theirs = call("scoring with the recorded model", lambda: rows.scores(pipeline, mask))
        except (IntegrityError, UserError) as exc:
            return Agreement(rows=len(scores), metric=project.metric, error=str(exc))
    held_out = rows.held_out[mask]
    labels = rows.labels[mask][held_out]

    def metric(of: tuple[Any, Any]) -> float | None:
        values = measured_values(project.metric, project.schema, of[0], of[1])
        return metric_of(project.metric, labels, values[held_out])

    return Agreement(
        rows=len(scores),
        differing=int((~_same(theirs[0], predictions)).sum()),
        largest_score_difference=float(np.max(np.abs(theirs[1] - scores), initial=0.0)),
        metric=project.metric,
        recorded_metric=metric(theirs),
        rebuilt_metric=metric((predictions, scores)),
    )


def _same(a: Any, b: Any) -> Mask:
    """Of a regression's numbers those are the same that differ by rounding only."""
    if np.issubdtype(np.asarray(a).dtype, np.floating):
        close: Mask = np.isclose(a, b, rtol=1e-9, atol=1e-12)
        return close
    same: Mask = np.asarray(a == b)
    return same
