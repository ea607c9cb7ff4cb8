"""A rebuilt model beside the recorded one, on the same rows. Run in the training process."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from driftloop.artifact import pipeline_files
from driftloop.errors import IntegrityError, UserError
from driftloop.project.model import Project
from driftloop.statistics.intervals import value
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.job import Agreement
from driftloop.training.user_code import call

Files = Mapping[str, bytes]  # of a model, as ``artifact.pipeline_files`` names them


def agreement(project: Project, rows: TrainingRows, mask: Mask, *, recorded: Files, rebuilt: Files, output: ModelOutput) -> Agreement:
    """``output`` is the rebuilt model's on the masked rows. The same bytes are not scored again."""
    theirs = output
    if recorded != rebuilt:
        try:
            pipeline = pipeline_files.load(recorded, project.training.trusted_types)
            theirs = call("scoring with the recorded model", lambda: rows.output(pipeline, mask))
        except (IntegrityError, UserError) as exc:
            return Agreement(rows=len(output.scores), metric=project.metric, error=str(exc))
    held_out = rows.held_out[mask]
    labels = rows.labels[mask][held_out]

    return Agreement(
        rows=len(output.scores),
        differing=int((~_same(theirs.predictions, output.predictions)).sum()),
        largest_score_difference=largest_difference(theirs, output),
        metric=project.metric,
        recorded_metric=value(project.task_metric, labels, theirs.where(held_out)),
        rebuilt_metric=value(project.task_metric, labels, output.where(held_out)),
    )


def largest_difference(a: ModelOutput, b: ModelOutput) -> float:
    """Of a row's score and, of several classes, of any class's probability; a class that a model does not know has 0."""
    largest = float(np.max(np.abs(a.scores - b.scores), initial=0.0))
    for name in {*a.classes, *b.classes}:
        largest = max(largest, float(np.max(np.abs(a.of_class(name) - b.of_class(name)), initial=0.0)))
    return largest


def _same(a: Any, b: Any) -> Mask:
    """Of a regression's numbers those are the same that differ by rounding only."""
    if np.issubdtype(np.asarray(a).dtype, np.floating):
        close: Mask = np.isclose(a, b, rtol=1e-9, atol=1e-12)
        return close
    same: Mask = np.asarray(a == b)
    return same
