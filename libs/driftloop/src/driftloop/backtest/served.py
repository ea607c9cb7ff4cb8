"""What another system has answered, window by window: the line that a backtest of a model that is served elsewhere is read against."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.backtest.loop import PolicyResult
from driftloop.contracts.values import Window
from driftloop.project.model import Project
from driftloop.statistics.intervals import value
from driftloop.statistics.recorded import measurable
from driftloop.training.recipes import micros

NAME = "served elsewhere"


def served_elsewhere(project: Project, rows: pa.Table, windows: Sequence[Window]) -> PolicyResult:
    """``rows``: labelled ones with the columns event_time, prediction, score, label and, of several classes, their probabilities, in order
    of event time. Null on windows where it answered nothing that the metric is defined on."""
    times = rows.column("event_time").cast(pa.int64()).to_numpy()
    scores = []
    for window in windows:
        low, high = (int(np.searchsorted(times, micros(time))) for time in (window.start, window.end))
        labels, output = measurable(rows.slice(low, high - low), project.task_metric)
        scores.append(value(project.task_metric, labels, output))
    known = [score for score in scores if score is not None]
    mean = float(np.mean(known)) if known else None
    return PolicyResult(name=NAME, mean_score=mean, scores=tuple(scores), retrainings=0, promotions=0, recalibrations=0)


def answered_by(rows: pa.Table, versions: Sequence[int]) -> pa.Table:
    """The rows that these versions answered."""
    return rows.filter(pc.is_in(rows.column("model_version"), value_set=pa.array(versions, pa.int64())))
