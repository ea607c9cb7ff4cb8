"""*A prediction*: an event id, followed back to bytes; and a column of a window beside its training data. Both read the store."""

from typing import Any

from driftloop.errors import TransientError
from driftloop.registry.state import RegistryState
from driftloop_console.asking import Distribution, Explain, Questions, Trace
from driftloop_console.pages.models import found
from driftloop_console.record import ConsoleFold
from driftloop_console.view import NotFound, View

MAX_ID = 10_000


def prediction(ask: Questions, view: View) -> dict[str, Any]:
    """Nothing asked, nothing found: the page then is a form. ``explain=1``: with what each input has added to the score, by the version's
    own bytes."""
    event = view.text("event")
    if event is None:
        return {"event": None, "trace": None, "explanation": None, "why_not": None}
    of: dict[str, Any] = {"event": event[:MAX_ID], "time": view.text("time"), "stream": view.text("stream")}
    if view.text("explain") != "1":
        return {"event": of["event"], "trace": ask(Trace(**of)), "explanation": None, "why_not": None}
    try:
        return {"event": of["event"], **ask(Explain(**of))}
    except TransientError as exc:  # it took too long, or more memory than it may: the trace alone may still be had
        return {"event": of["event"], "trace": None, "explanation": None, "why_not": str(exc)}


def distribution(record: ConsoleFold, registry: RegistryState, ask: Questions, view: View, model: str, name: str) -> dict[str, Any]:
    """``window`` in the address is where it begins, in milliseconds; without it, the newest that the column was compared in."""
    project = found(registry, model).project
    with record.reading():
        tables = record.tables(model)
        at = None if tables is None else tables.drift.column(name)
        if tables is None or at is None or project is None:
            raise NotFound(f"no window of {model} has a column {name[:80]!r}")
        table = tables.drift.table
        start = view.instant("window")
        part = slice(0, table.rows) if start is None else table.between(start, start + 1)
        rows = [row for row in range(part.stop - 1, part.start - 1, -1) if table["cells"][row, at] > 0 and table["version"][row] > 0]
        if not rows:
            raise NotFound(f"no such window of {model} was compared with a version's training data in {name[:80]!r}")
        row = max(rows, key=lambda each: int(table["rows"][each])) if start is not None else rows[0]
        of = Distribution(
            model=model,
            version=int(table["version"][row]),
            stream=project.stream,
            feature=name,
            start=int(table["start"][row]),
            end=int(table["end"][row]),
        )
    return {"model": model, "feature": name, "version": of.version, "start": of.start, "end": of.end, **ask(of)}
