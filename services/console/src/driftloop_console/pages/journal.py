"""*Home*: incidents, decisions, runs and what people did, as sentences, newest first, each with its evidence."""

from typing import Any

import msgspec
import numpy as np

from driftloop.registry.records import LogEntry
from driftloop.registry.state import RegistryState
from driftloop_console.columns import ALL_VERSIONS, milliseconds, moment
from driftloop_console.journal import Entry
from driftloop_console.pages.what_if import AS_IT_WAS, LEAST_THRESHOLD, MOST_THRESHOLD
from driftloop_console.record import ConsoleFold, Tables
from driftloop_console.sentences import log_entry_in_words
from driftloop_console.view import View

SHOWN = 50
MOST = 500
OF_THE_REGISTRY = 500  # newest records of a model's log that are looked at
PICTURE_WINDOWS = 40
BY_RULE = "driftloop/registry"  # the actor of what the gate did, which the journal has as decisions


def journal(record: ConsoleFold, registry: RegistryState, view: View) -> dict[str, Any]:
    """``all=1`` in the address: with the "no" that most windows end with, and what only repeats a decision."""
    quiet = view.text("all") == "1"
    with record.reading():
        told = [entry for entry in record.journal.newest(quiet=quiet) if _inside(entry, view)]
        entries = sorted([*told, *_of_people(registry, view)], reverse=True)
        first = view.whole("skip", 0, least=0, most=1_000_000)
        shown = entries[first : first + view.whole("entries", SHOWN, least=1, most=MOST)]
        return {
            "model": view.model,
            "quiet": quiet,
            "skipped": first,
            "count": len(entries),
            "more": first + len(shown) if first + len(shown) < len(entries) else None,
            "what_if": _slider(record, view),
            "entries": [_shown(entry, record.tables(entry.model)) for entry in shown],
        }


def _slider(record: ConsoleFold, view: View) -> dict[str, Any] | None:
    """For ``what_if``; None while there is no window to ask about."""
    known = [name for name, tables in sorted(record.models.items()) if tables.drift.table.rows and view.model in (None, name)]
    return {"model": known[0], "threshold": AS_IT_WAS, "least": LEAST_THRESHOLD, "most": MOST_THRESHOLD} if known else None


def _shown(entry: Entry, tables: Tables | None) -> dict[str, Any]:
    return {
        "id": entry.id,
        "time": moment(entry.time),
        "model": entry.model,
        "kind": entry.kind,
        "tone": entry.tone,
        "sentence": entry.sentence,
        "window": None if entry.start is None or entry.end is None else {"start": moment(entry.start), "end": moment(entry.end)},
        "request_id": entry.request_id,
        "picture": _picture(entry, tables),
        "evidence": msgspec.Raw(entry.evidence),
    }


def _picture(entry: Entry, tables: Tables | None) -> dict[str, Any] | None:
    """The windows up to the entry's: of an incident the distance as a share of the threshold, else the metric."""
    if tables is None or entry.start is None or entry.end is None:
        return None
    if entry.kind == "incident":
        table = tables.drift.table
        last = table.between(None, entry.end).stop
        part = slice(max(0, last - PICTURE_WINDOWS), last)
        values, line = table["distance"][part] / np.where(table["threshold"][part] > 0, table["threshold"][part], np.nan), 1.0
        what = "distance as a share of the threshold"
    else:
        table = tables.performance.table
        last = table.between(None, entry.start + 1).stop
        rows = np.arange(max(0, last - 3 * PICTURE_WINDOWS), last)
        rows = rows[table["version"][rows] == ALL_VERSIONS][-PICTURE_WINDOWS:]
        values, line, what = table["value"][rows], None, "metric"
    points = [round(value, 5) if value == value else None for value in values.tolist()]
    return {"what": what, "values": points, "line": line} if sum(point is not None for point in points) > 1 else None


def _of_people(registry: RegistryState, view: View) -> list[Entry]:
    """What people asked of the registry, and what projects were registered; the gate's own doings are told as decisions."""
    models = [registry.models[view.model]] if view.model in registry.models else [] if view.model else list(registry.models.values())
    found = []
    for model in models:
        newest = (entry for entry, _ in zip(model.history.newest(), range(OF_THE_REGISTRY), strict=False))
        found += [_entry(entry) for entry in newest if entry.actor != BY_RULE and _inside_time(milliseconds(entry.at), view)]
    return found


def _entry(entry: LogEntry) -> Entry:
    refused = entry.outcome.refused
    return Entry(
        time=milliseconds(entry.at),
        id=entry.command_id,
        model=entry.model,
        kind="registry",
        tone="bad" if refused else "good" if entry.moved is not None else "plain",
        sentence=log_entry_in_words(entry),
        start=None,
        end=None,
        request_id=None,
        evidence=msgspec.json.encode({"command": entry.type, "by": entry.actor, "offset": entry.offset, "outcome": entry.outcome}),
    )


def _inside(entry: Entry, view: View) -> bool:
    """By the window that it is about, else by its own time: a replay's windows lie years before its events."""
    if view.model is not None and entry.model != view.model:
        return False
    return _inside_time(entry.time if entry.start is None else entry.start, view)


def _inside_time(ms: int, view: View) -> bool:
    return (view.start_ms is None or ms >= view.start_ms) and (view.end_ms is None or ms < view.end_ms)
