"""What a model would lose without each of its inputs: measured once, at training, so that drift can be ranked by what it may do."""

from typing import Any

import numpy as np
import pyarrow as pa

from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.statistics.intervals import value
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.user_code import call

MOST_ROWS = 2000


def permutation_importance(project: Project, rows: TrainingRows, held_out: Mask, pipeline: Any, seed: int) -> dict[str, float] | None:
    """By column of the profile, by how much the project's metric is worse when the column's values change places (Breiman 2001).

    In the metric's unit, above 0: worse; measured once, on at most MOST_ROWS of the ``held_out`` rows, so that chance alone gives
    small values of either sign. None where the metric is not defined on them, or the pipeline cannot score such rows.
    """
    chosen = np.flatnonzero(held_out)
    random = np.random.default_rng(seed)
    if len(chosen) > MOST_ROWS:
        chosen = np.sort(random.choice(chosen, MOST_ROWS, replace=False))
    few = TrainingRows(rows.table.take(pa.array(chosen)), project)
    every, frame, metric = np.ones(len(chosen), dtype=bool), few.frame, project.task_metric
    moved = random.permutation(len(chosen))

    def measured() -> float | None:
        return value(metric, few.labels, call("scoring", lambda: few.output(pipeline, every)))

    found = dict[str, float]()
    try:
        before = measured() if len(chosen) else None
        if before is None:
            return None
        for name in frame.columns:
            few.frame = frame.assign(**{name: frame[name].array[moved]})
            after = measured()
            if after is None:
                return None
            found[name] = metric.gain(before, after)
    except UserError:
        return None
    return found
