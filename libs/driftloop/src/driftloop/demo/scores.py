"""What the loop's predictions were worth, window by window, and what version 1 alone would have said."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.artifact.scoring import Scorer
from driftloop.contracts.values import Part, Window
from driftloop.rows.schemas import TIME
from driftloop.statistics.intervals import value
from driftloop.statistics.metrics import TaskMetric
from driftloop.statistics.recorded import measurable

Floats = npt.NDArray[np.float64]


class WindowScore(Part, frozen=True, kw_only=True):
    """The project's metric, ROC AUC, over the labelled rows of one window; null when it is not defined on them."""

    window: Window
    rows: int
    labelled: int
    unscored: int
    scored_by: tuple[int, ...]  # versions
    auc_frozen: float | None
    auc_loop: float | None

    @property
    def coverage(self) -> float:
        return self.labelled / self.rows if self.rows else 0.0


def score_windows(rows: pa.Table, windows: Sequence[Window], frozen: Scorer, metric: TaskMetric) -> list[WindowScore]:
    """``rows``: inferences with ``label`` or null, ordered by event time, as ``lake.join.labelled_rows`` gives them."""
    times = rows.column("event_time").cast(TIME).to_numpy()
    return [_score(_between(rows, times, window), window, frozen, metric) for window in windows]


def _between(rows: pa.Table, times: "npt.NDArray[np.datetime64]", window: Window) -> pa.Table:
    bounds = [np.datetime64(int(time.timestamp() * 1e6), "us") for time in (window.start, window.end)]
    low, high = np.searchsorted(times, bounds)
    return rows.slice(int(low), int(high - low))


def _score(rows: pa.Table, window: Window, frozen: Scorer, metric: TaskMetric) -> WindowScore:
    labelled = rows.filter(rows.column("label").is_valid())
    versions = pc.unique(rows.column("model_version")).to_pylist()
    return WindowScore(
        window=window,
        rows=len(rows),
        labelled=len(labelled),
        unscored=rows.column("score").null_count,
        scored_by=tuple(sorted(v for v in versions if v is not None)),
        auc_frozen=measured(metric, _answered(labelled, frozen)),
        auc_loop=measured(metric, labelled),
    )


def _answered(labelled: pa.Table, scorer: Scorer) -> pa.Table:
    """The labels, with what another model says of their rows."""
    columns = {name: column for name, column in scorer.score(labelled)._asdict().items() if column is not None}
    return pa.table({"label": labelled.column("label"), **columns})


def measured(metric: TaskMetric, labelled: pa.Table) -> float | None:
    """The metric over the labelled rows that have what it needs; None when it is not defined on them."""
    return value(metric, *measurable(labelled, metric))


def mean(values: Sequence[float | None]) -> float | None:
    """None when any is missing: a mean over other windows would not be comparable."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def first_predictions(inferences: pa.Table) -> dict[int, datetime]:
    """When each version first scored a row, by the rows' own ``scored_at``."""
    scored = inferences.filter(inferences.column("model_version").is_valid())
    first = scored.group_by("model_version").aggregate([("scored_at", "min")])
    return dict(zip(first.column("model_version").to_pylist(), first.column("scored_at_min").to_pylist(), strict=True))
