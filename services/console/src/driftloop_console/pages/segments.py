"""*Performance* by segment: where the model is good, and where it is not. Pure."""

from typing import Any

import numpy as np

from driftloop_console.pages.values import known, rounded
from driftloop_console.pooling import groups, weighted
from driftloop_console.segment_table import SegmentTable
from driftloop_console.view import View

SHOWN = 60
PICTURE_POINTS = 60


def segments(of: SegmentTable, view: View, whole: float, greater_is_better: bool | None) -> list[dict[str, Any]]:
    """Of the range, by feature, the worst first; ``whole``: the metric of all rows, that each is held against."""
    part = of.table.between(view.start_ms, view.end_ms)
    if part.stop == part.start:
        return []
    rows, labelled, value = (of.cells(name, part).astype("f8") for name in ("rows", "labelled", "value"))
    value = np.where(rows > 0, value, np.nan)
    starts = groups(part.stop - part.start, PICTURE_POINTS)
    found = [
        _segment(of, at, rows[:, at], labelled[:, at], value[:, at], starts, whole) for at in range(len(of.names)) if rows[:, at].any()
    ]
    features = list(dict.fromkeys(name.feature for name in of.names))
    worse = -1.0 if greater_is_better is False else 1.0  # one that nobody has measured is the last

    def harm(segment: dict[str, Any]) -> tuple[int, float]:
        gap = segment["gap"]
        return features.index(segment["feature"]), float("inf") if gap is None else worse * gap

    return sorted(found, key=harm)


def _segment(of: SegmentTable, at: int, rows: Any, labelled: Any, value: Any, starts: Any, whole: float) -> dict[str, Any]:
    measured = np.flatnonzero(np.isfinite(value))
    mean = float(np.average(value[measured], weights=np.maximum(labelled[measured], 1))) if len(measured) else np.nan
    name = of.names[at]
    return {
        "feature": name.feature,
        "name": str(name),
        "value": name.value,
        "others": name.others,
        "rows": int(rows.sum()),
        "coverage": float(labelled.sum() / max(1.0, rows.sum())),
        "mean": known(mean),
        "gap": known(mean - whole),
        "newest": known(value[measured[-1]]) if len(measured) else None,
        "windows": len(measured),
        "picture": rounded(weighted(value, labelled, starts)),
    }
