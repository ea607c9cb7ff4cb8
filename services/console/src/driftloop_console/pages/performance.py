"""*Performance*: the metric of each window with its interval, beside version 1 where it went on scoring, with label coverage."""

from typing import Any

import numpy as np

from driftloop.statistics.metrics import NoSuchMetric, find
from driftloop_console.columns import ALL_VERSIONS, Array, Columns, moment
from driftloop_console.pages.marks import marks
from driftloop_console.pages.segments import SHOWN, segments
from driftloop_console.pages.strip import across, strip
from driftloop_console.pages.values import known, rounded
from driftloop_console.performance_table import ANSWERS
from driftloop_console.pooling import groups, highest, lowest, weighted
from driftloop_console.record import ConsoleFold
from driftloop_console.segment_table import MAX_SEGMENTS
from driftloop_console.view import View

POINTS = 800
DRAWN = ("start", "value", "lower", "upper", "coverage", "labelled", "rows", "challenger", "challenger_value")
NEWEST = 20  # windows in the table


def performance(record: ConsoleFold, view: View, model: str) -> dict[str, Any]:
    with record.reading():
        tables = record.tables(model)
        if tables is None or tables.performance.table.rows == 0:
            return {"model": model, "windows": 0, "known": 0}
        table = tables.performance.table
        part = table.between(view.start_ms, view.end_ms)
        versions = table["version"][part]
        together = np.flatnonzero(versions == ALL_VERSIONS) + part.start
        found = _content(model, table, together, part, view, tables.performance.metrics)
        lines = marks(model, table, record.journal, view)
        found |= {"marks": lines, "strip": across(strip(tables.performance.answers(part)), lines)}
        if found["windows"]:
            told = segments(tables.segments, view, found["mean"], found["greater_is_better"])
            most = view.whole("segments", SHOWN, least=1, most=MAX_SEGMENTS)
            found |= {"segments": told[:most], "segments_in_all": len(told)}
        return found


def _content(model: str, table: Columns, rows: Array, part: slice, view: View, metrics: list[str]) -> dict[str, Any]:
    in_all = int(np.count_nonzero(table["version"] == ALL_VERSIONS))
    if len(rows) == 0:
        return {"model": model, "windows": 0, "known": in_all}
    metric = metrics[int(table["metric"][rows[-1]])]
    rows = rows[table["metric"][rows] == metrics.index(metric)]
    starts = groups(len(rows), view.whole("points", POINTS, least=10, most=4000))
    column = {name: table[name][rows] for name in DRAWN}
    first, first_version = _first_version(table, rows, part)
    first = np.where(np.isnan(first) & (column["challenger"] == first_version), column["challenger_value"], first)
    other = np.where(column["challenger"] == first_version, np.nan, column["challenger_value"])  # else it is drawn as version 1
    challengers = column["challenger"][column["challenger"] > 0]
    value = weighted(column["value"], column["labelled"], starts)
    points = {
        "time": (column["start"][starts] / 1000).tolist(),
        "value": rounded(value),
        "lower": rounded(lowest(column["lower"], starts)),
        "upper": rounded(highest(column["upper"], starts)),
        "coverage": rounded(weighted(column["coverage"], column["rows"], starts)),
        "estimate": rounded(weighted(_estimates(table, rows, part), column["rows"], starts)),
        "challenger": rounded(weighted(other, column["labelled"], starts)),
        "first": rounded(weighted(first, np.ones(len(rows)), starts)),
    }
    mean = weighted(column["value"], column["labelled"], np.zeros(1, "i8")) if len(rows) > 1 else column["value"]
    return {
        "model": model,
        "metric": metric,
        "greater_is_better": _greater_is_better(metric),
        "windows": len(rows),
        "known": in_all,
        "windows_per_point": -(-len(rows) // len(starts)),
        "mean": float(mean[0]),
        "coverage": float(column["labelled"].sum() / max(1, column["rows"].sum())),
        "first_version": first_version,
        "challenger": int(challengers[-1]) if len(challengers) else None,
        "points": points,
        "newest": [_window(table, int(row)) for row in rows[: -NEWEST - 1 : -1]],
    }


def _first_version(table: Columns, rows: Array, part: slice) -> tuple[Array, int | None]:
    """The value of the lowest version, in the windows that it has scored beside others; NaN in the rest."""
    versions, starts = table["version"][part], table["start"][part]
    numbered = versions[versions > 0]
    found = np.full(len(rows), np.nan)
    if len(numbered) == 0:
        return found, None
    lowest_version = int(numbered.min())
    own = np.flatnonzero(versions == lowest_version)
    place = np.searchsorted(table["start"][rows], starts[own])
    fits = (place < len(rows)) & (table["start"][rows][np.minimum(place, len(rows) - 1)] == starts[own])
    found[place[fits]] = table["value"][part][own[fits]]
    return found, lowest_version


def _estimates(table: Columns, rows: Array, part: slice) -> Array:
    """Of the version that scored most rows of each window; only reports on one version have an estimate."""
    own = np.flatnonzero(table["version"][part] > 0) + part.start
    own = own[np.argsort(table["rows"][own], kind="stable")]  # of several in one window the largest is the last, and stands
    place = np.searchsorted(table["start"][rows], table["start"][own])
    fits = (place < len(rows)) & (table["start"][rows][np.minimum(place, len(rows) - 1)] == table["start"][own])
    found = np.full(len(rows), np.nan)
    found[place[fits]] = table["estimate"][own[fits]]
    return found


def _window(table: Columns, row: int) -> dict[str, Any]:
    """With the version that scored most of it, and what that meant."""
    last = row + 1
    while last < table.rows and table["start"][last] == table["start"][row] and table["end"][last] == table["end"][row]:
        last += 1
    own = max(range(row + 1, last), key=lambda each: int(table["rows"][each]), default=None)
    return {
        "start": moment(table["start"][row]),
        "end": moment(table["end"][row]),
        "version": None if own is None else int(table["version"][own]),
        "answer": None if own is None else ANSWERS[int(table["answer"][own])],
        "rows": int(table["rows"][row]),
        "labelled": int(table["labelled"][row]),
        "challenger": int(table["challenger"][row]) or None,
        **{name: known(table[name][row]) for name in ("value", "lower", "upper", "coverage", "delay", "challenger_value", "disagreement")},
    }


def _greater_is_better(metric: str) -> bool | None:
    """None: of a metric that only another release knows."""
    try:
        return find(metric).greater_is_better
    except NoSuchMetric:
        return None
