"""What the loop's predictions were worth, window by window, and what version 1 alone would have said."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

from driftloop.artifact.scoring import Scorer
from driftloop.contracts.values import Part, Window
from driftloop.rows.schemas import TIME

Floats = npt.NDArray[np.float64]


class WindowScore(Part, frozen=True, kw_only=True):
    """ROC AUC over the labelled rows of one window; null when it has labels of one class only, or no scores."""

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


def score_windows(rows: pa.Table, windows: Sequence[Window], frozen: Scorer) -> list[WindowScore]:
    """``rows``: inferences with ``label`` or null, ordered by event time, as ``lake.join.labelled_rows`` gives them."""
    times = rows.column("event_time").cast(TIME).to_numpy()
    return [_score(_between(rows, times, window), window, frozen) for window in windows]


def _between(rows: pa.Table, times: "npt.NDArray[np.datetime64]", window: Window) -> pa.Table:
    bounds = [np.datetime64(int(time.timestamp() * 1e6), "us") for time in (window.start, window.end)]
    low, high = np.searchsorted(times, bounds)
    return rows.slice(int(low), int(high - low))


def _score(rows: pa.Table, window: Window, frozen: Scorer) -> WindowScore:
    labelled = rows.filter(rows.column("label").is_valid())
    versions = pc.unique(rows.column("model_version")).to_pylist()
    return WindowScore(
        window=window,
        rows=len(rows),
        labelled=len(labelled),
        unscored=rows.column("score").null_count,
        scored_by=tuple(sorted(v for v in versions if v is not None)),
        auc_frozen=roc_auc(labelled.column("label"), pa.chunked_array([frozen.score(labelled)[1]])),
        auc_loop=roc_auc(labelled.column("label"), labelled.column("score")),
    )


def roc_auc(labels: pa.ChunkedArray, scores: pa.ChunkedArray) -> float | None:
    """Of the rows that have a score; None when they do not hold both classes."""
    scored = scores.is_valid()
    truth = labels.filter(scored).to_numpy().astype(bool)
    if truth.all() or not truth.any():
        return None
    return float(roc_auc_score(truth, scores.filter(scored).to_numpy()))


def mean(values: Sequence[float | None]) -> float | None:
    """None when any is missing: a mean over other windows would not be comparable."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def first_predictions(inferences: pa.Table) -> dict[int, datetime]:
    """When each version first scored a row, by the rows' own ``scored_at``."""
    scored = inferences.filter(inferences.column("model_version").is_valid())
    first = scored.group_by("model_version").aggregate([("scored_at", "min")])
    return dict(zip(first.column("model_version").to_pylist(), first.column("scored_at_min").to_pylist(), strict=True))
