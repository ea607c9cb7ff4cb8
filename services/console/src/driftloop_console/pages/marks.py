"""What happened to the model, as lines across its charts, in the time of the events."""

from typing import Any

import numpy as np

from driftloop_console.columns import Columns, moment
from driftloop_console.journal import Journal
from driftloop_console.view import View

MOST = 200


def marks(model: str, scored: Columns, journal: Journal, view: View) -> list[dict[str, Any]]:
    """The first window that each version scored, and the windows after which answers were corrected; the newest MOST.

    Where a version began is taken from the windows and not from the registry's clock: in a replay these are years apart.
    """
    versions = scored["version"]
    numbers, first = np.unique(versions, return_index=True)
    found = [(int(scored["start"][at]), f"v{number}", "version") for number, at in zip(numbers, first, strict=True) if number > 0]
    for entry in journal.newest(quiet=False):
        if entry.model == model and entry.kind == "recalibrate" and entry.tone == "good" and entry.end is not None:
            found.append((entry.end, "recalibrated", "recalibration"))
    inside = [mark for mark in sorted(found) if _inside(mark[0], view)]
    return [{"time": moment(at), "label": label, "kind": kind} for at, label, kind in inside[-MOST:]]


def _inside(ms: int, view: View) -> bool:
    return (view.start_ms is None or ms >= view.start_ms) and (view.end_ms is None or ms < view.end_ms)
