"""*Drift*: columns × windows, a byte a cell, and one column over time."""

import base64
from typing import Any

import numpy as np

from driftloop_console.columns import Array, moment
from driftloop_console.drift_table import AT_THRESHOLD, JUDGED_FROM, DriftTable, distances_of, ratio_of, shares_of, verdict_of
from driftloop_console.pages.marks import marks
from driftloop_console.pages.strip import across, strip
from driftloop_console.pages.values import known, rounded
from driftloop_console.performance_table import ANSWERS, Answers
from driftloop_console.pooling import groups, highest, pooled
from driftloop_console.record import ConsoleFold, Tables
from driftloop_console.view import NotFound, View

PIXELS = 800
SHOWN_COLUMNS = 100
MOST_COLUMNS = 1_000
NEWEST = 20


def drift(record: ConsoleFold, view: View, model: str) -> dict[str, Any]:
    """Columns in the order of harm: by how far the worst window of the range lies over its threshold, times what the column is worth to
    the model where that is known of any."""
    with record.reading():
        tables = record.tables(model)
        if tables is None or tables.drift.table.rows == 0:
            return {"model": model, "windows": 0, "known": 0}
        of, table = tables.drift, tables.drift.table
        part = table.between(view.start_ms, view.end_ms)
        cells = table["cells"][part, : table.width]
        if len(cells) == 0:
            return {"model": model, "windows": 0, "known": table.rows}
        starts = groups(len(cells), view.whole("width", PIXELS, least=10, most=4000))
        shown = pooled(cells, starts)
        worst = shown.max(axis=0)
        largest = distances_of(table["distances"][part, : table.width].max(axis=0))
        order = _by_harm(of, worst, largest, tables.performance.importance)
        most = view.whole("columns", SHOWN_COLUMNS, least=1, most=MOST_COLUMNS)
        kept = order[:most]
        newest = cells[-1]
        lines, answers = marks(model, table, record.journal, view), tables.performance.answers(_same_time(tables, view))
        return {
            "model": model,
            "windows": len(cells),
            "known": table.rows,
            "windows_per_column": -(-len(cells) // len(starts)),
            "columns": len(order),
            "at_threshold": AT_THRESHOLD,
            "drifted": int(np.count_nonzero(table["verdict"][part] == 2)),
            "because": of.because,
            "features": [_feature(of, int(at), worst, newest, float(largest[at]), tables.performance.importance) for at in kept],
            "starts": [_iso(ms) for ms in table["start"][part][starts].tolist()],
            "ends": [_iso(ms) for ms in table["end"][part][np.append(starts[1:] - 1, len(cells) - 1)].tolist()],
            "cells": base64.b64encode(np.ascontiguousarray(shown[:, kept].T).tobytes()).decode(),
            "newest": [_window(of, row, answers) for row in range(part.stop - 1, max(part.start, part.stop - NEWEST) - 1, -1)],
            "marks": lines,
            "strip": across(strip(answers), lines),
        }


def feature(record: ConsoleFold, view: View, model: str, name: str) -> dict[str, Any]:
    """One column over time. Raises NotFound for one that no window has."""
    with record.reading():
        tables = record.tables(model)
        at = None if tables is None else tables.drift.column(name)
        if tables is None or at is None:
            raise NotFound(f"no window of {model} has a column {name[:80]!r}")
        of, table = tables.drift, tables.drift.table
        part = table.between(view.start_ms, view.end_ms)
        starts = groups(part.stop - part.start, view.whole("points", PIXELS, least=10, most=4000))
        column = {kind: table[kind][part, at] for kind in ("cells", "distances", "missing", "unseen")}
        there = column["cells"] > 0
        distance = np.where(there, distances_of(column["distances"]), np.nan)
        points = {
            "time": (table["start"][part][starts] / 1000).tolist(),
            "distance": rounded(highest(distance, starts)),
            "threshold": rounded(highest(table["threshold"][part], starts)),
            "missing": rounded(highest(np.where(there, shares_of(column["missing"]), np.nan), starts)),
            "unseen": rounded(highest(np.where(there, shares_of(column["unseen"]), np.nan), starts)),
        }
        answers = tables.performance.answers(_same_time(tables, view))
        rows = [part.start + int(row) for row in np.flatnonzero(there)[: -NEWEST - 1 : -1]]
        return {
            "model": model,
            "feature": name,
            "importance": tables.performance.importance.get(name),
            "windows": int(np.count_nonzero(there)),
            "known": int(np.count_nonzero(table["cells"][:, at])),
            "windows_per_point": -(-(part.stop - part.start) // max(1, len(starts))),
            "points": points,
            "newest": [_window(of, row, answers) | _cell(of, row, at) for row in rows],
            "marks": marks(model, table, record.journal, view),
        }


def _by_harm(of: DriftTable, worst: Array, largest: Array, importance: dict[str, float]) -> Array:
    """Where there is no threshold, by the distance itself, behind all for which there is one."""
    judged = worst >= JUDGED_FROM
    harm = np.where(judged, np.nan_to_num(ratio_of(worst)), largest)
    if importance:  # a column of which it is not known counts as the least of those of which it is
        least = min((abs(worth) for worth in importance.values()), default=0.0)
        harm = harm * np.array([max(importance.get(name, least), 1e-9) for name in of.names])
    found: Array = np.lexsort((-harm, ~judged))
    return found[worst[found] > 0]


def _feature(of: DriftTable, at: int, worst: Array, newest: Array, distance: float, importance: dict[str, float]) -> dict[str, Any]:
    return {
        "name": of.names[at],
        "distance": distance,
        "worst": known(ratio_of(worst[at : at + 1])[0]),
        "newest": known(ratio_of(newest[at : at + 1])[0]),
        "importance": importance.get(of.names[at]),
    }


def _same_time(tables: Tables, view: View) -> slice:
    return tables.performance.table.between(view.start_ms, view.end_ms)


def _answer(answers: Answers, start: int, end: int) -> str | None:
    """Of the window; None: nobody has said."""
    at = int(np.searchsorted(answers.start, start))
    while at < len(answers.start) and answers.start[at] == start:
        if answers.end[at] == end:
            return ANSWERS[int(answers.code[at])]
        at += 1
    return None


def _window(of: DriftTable, row: int, answers: Answers) -> dict[str, Any]:
    table, version = of.table, int(of.table["version"][row])
    cells = table["cells"][row, : table.width]
    largest = int(cells.argmax()) if len(cells) else 0
    return {
        "start": moment(table["start"][row]),
        "end": moment(table["end"][row]),
        "version": version if version > 0 else None,
        "rows": int(table["rows"][row]),
        "verdict": verdict_of(table["verdict"][row]),
        "answer": _answer(answers, int(table["start"][row]), int(table["end"][row])),
        "distance": known(table["distance"][row]),
        "threshold": known(table["threshold"][row]),
        "column": of.names[largest] if len(cells) and cells[largest] > 0 else None,
    }


def _cell(of: DriftTable, row: int, at: int) -> dict[str, Any]:
    table = of.table
    return {
        "distance": float(distances_of(table["distances"][row : row + 1, at])[0]),
        "ratio": known(ratio_of(table["cells"][row : row + 1, at])[0]),
        "missing": float(shares_of(table["missing"][row : row + 1, at])[0]),
        "unseen": float(shares_of(table["unseen"][row : row + 1, at])[0]),
    }


def _iso(ms: int) -> str:
    return moment(ms).strftime("%Y-%m-%dT%H:%M:%SZ")
