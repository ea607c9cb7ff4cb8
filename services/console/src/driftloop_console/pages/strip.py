"""What each window meant, as a strip: as many blocks as fit, each the worst of its windows, and neighbours of one kind as one. Pure."""

from typing import Any

import numpy as np

from driftloop_console.columns import moment
from driftloop_console.performance_table import ANSWERS, Answers
from driftloop_console.pooling import groups, pooled

BLOCKS = 400
WIDTH = 1000.0  # of the picture, in its own units: all of the time of its windows


def strip(of: Answers) -> dict[str, Any] | None:
    """None: there is no window that a version scored."""
    if len(of.code) == 0:
        return None
    starts = groups(len(of.code), BLOCKS)
    codes = pooled(of.code[:, None], starts)[:, 0]
    firsts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    begin = starts[firsts]
    end = np.append(begin[1:], len(of.code)) - 1
    first, last = int(of.start[0]), int(of.end.max())
    span = max(1, last - first)
    counts = np.bincount(of.code, minlength=len(ANSWERS))
    return {
        "start": moment(first),
        "end": moment(last),
        "counts": {answer or "not known": int(count) for answer, count in zip(ANSWERS, counts.tolist(), strict=True) if count},
        "blocks": [
            {
                "answer": ANSWERS[int(codes[at])],
                "severity": int(codes[at]),
                "start": moment(of.start[row]),
                "end": moment(of.end[until]),
                "windows": int(until - row + 1),
                "x": _place(of.start[row], first, span),
                "width": round(max(1.0, WIDTH * (int(of.end[until]) - int(of.start[row])) / span), 1),
            }
            for at, row, until in zip(firsts.tolist(), begin.tolist(), end.tolist(), strict=True)
        ],
    }


def across(found: dict[str, Any] | None, marks: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The strip with ``marks`` as lines across it."""
    if found is None:
        return None
    first, span = found["start"], max(0.001, (found["end"] - found["start"]).total_seconds())
    inside = [mark for mark in marks if found["start"] <= mark["time"] <= found["end"]]
    return found | {"lines": [{"x": round(WIDTH * (mark["time"] - first).total_seconds() / span, 1), **mark} for mark in inside]}


def _place(ms: Any, first: int, span: int) -> float:
    return round(WIDTH * (int(ms) - first) / span, 1)
