"""*Compare*: two versions side by side: how each was made, what the gate measured, what each did in production, and what differs."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from driftloop.errors import TransientError, UserError
from driftloop.registry.state import ModelState, ModelVersion, RegistryState
from driftloop_console.asking import Differ, Questions
from driftloop_console.pages.models import found, made_of, version_of
from driftloop_console.pages.values import known
from driftloop_console.performance_table import ANSWERS
from driftloop_console.record import ConsoleFold, Tables
from driftloop_console.runs import Run
from driftloop_console.view import NotFound, View

PINS = {"snapshot": "rows", "project": "project", "environment": "environment", "code": "driftloop", "seed": "seed", "threads": "threads"}


def compare(record: ConsoleFold, registry: RegistryState, ask: Questions, view: View, model: str) -> dict[str, Any]:
    """``a`` and ``b`` in the address; without them the champion and the version before it. ``store=1``: also what is in the store, of
    which the rest of the page is independent. Raises NotFound."""
    of = found(registry, model)
    a, b = _chosen(of, view)
    with record.reading():
        tables = record.tables(model)
        runs = [record.runs.run(each.request_id) for each in (a, b)]
        scored = [_production(tables, each.version) for each in (a, b)]
        together = None if tables is None else _together(tables, a.version, b.version)
    both = zip(_told(of, a, runs[0], scored[0]), _told(of, b, runs[1], scored[1]), strict=True)
    rows = [{"group": group, "what": what, "a": ours, "b": theirs, "same": ours == theirs} for (group, what, ours), (_, _, theirs) in both]
    in_store, why_not = _in_store(ask, of, a, b) if view.text("store") == "1" else (None, None)
    return {
        "model": model,
        "a": a.version,
        "b": b.version,
        "versions": [each.version for each in reversed(of.versions)][:200],
        "rows": rows,
        "differing": sum(not row["same"] for row in rows),
        "together": together,
        "segments": _segments(*runs),
        "store": in_store,
        "why_not": why_not,
    }


def _chosen(of: ModelState, view: View) -> tuple[ModelVersion, ModelVersion]:
    if len(of.versions) < 2:
        more = f"`driftloop retrain {of.model} --reason …` asks for one more"
        raise NotFound(f"{of.model} has {len(of.versions)} versions, and two are compared: {more}")
    second = of.champion.version if of.champion is not None and of.champion.version > 1 else of.versions[-1].version
    second = view.whole("b", second, least=0, most=10**9)
    first = view.whole("a", second - 1 if second > 1 else 2, least=0, most=10**9)
    return version_of(of, first), version_of(of, second)


def _told(of: ModelState, one: ModelVersion, run: Run | None, scored: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """In the same order for every version."""
    measured = None if run is None else run.measurements
    champion = of.champion is not None and of.champion.version == one.version
    yield "how it was made", "state", "champion" if champion else of.state_of(one.version)
    yield "how it was made", "registered", one.registered_at
    yield "how it was made", "why", None if run is None else run.why
    yield "how it was made", "recipe", None if run is None else run.recipe
    yield "how it was made", "training rows", None if run is None else run.rows
    yield "how it was made", "seconds", None if run is None else run.seconds
    yield "at the gate", "metric", None if measured is None else measured.metric
    yield "at the gate", "this version", None if measured is None else measured.candidate
    yield "at the gate", "the champion then", None if measured is None else f"{measured.champion:.4g} (v{measured.champion_version})"
    yield "at the gate", "gain, at least", None if measured is None else measured.gain_lower
    churn = None if measured is None or measured.churn is msgspec.UNSET else measured.churn
    yield "at the gate", "share of answers that it changes", churn
    yield "at the gate", "verdict", None if run is None or run.accepted is None else f"{'yes' if run.accepted else 'no'}: {run.verdict}"
    for name, value in scored.items():
        yield "in production", name, value
    for name, what in PINS.items():
        yield "data, code and parameters", what, None if one.pins is None else getattr(one.pins, name)


def _production(tables: Tables | None, version: int) -> dict[str, Any]:
    """Of the windows that it scored."""
    answers = [name for name in ANSWERS if name]
    none = dict.fromkeys(("windows that it scored", "rows", "metric there", "loss there", *(f"windows: {name}" for name in answers)))
    if tables is None:
        return none
    table = tables.performance.table
    rows = np.flatnonzero(table["version"] == version)
    if not len(rows):
        return none
    value, loss, labelled = table["value"][rows], table["loss"][rows], np.maximum(table["labelled"][rows], 1)
    counts = np.bincount(table["answer"][rows], minlength=len(ANSWERS)).tolist()
    return {
        "windows that it scored": len(rows),
        "rows": int(table["rows"][rows].sum()),
        "metric there": _mean(value, labelled),
        "loss there": _mean(loss, labelled),
        **{f"windows: {name}": counts[ANSWERS.index(name)] for name in answers},
    }


def _together(tables: Tables, a: int, b: int) -> dict[str, Any] | None:
    """Over the windows that both have scored, where the two are held against each other on the same time; None: there are none."""
    table = tables.performance.table
    rows = [np.flatnonzero((table["version"] == version) & np.isfinite(table["value"])) for version in (a, b)]
    _, ours, theirs = np.intersect1d(table["start"][rows[0]], table["start"][rows[1]], return_indices=True)
    if not len(ours):
        return None
    gains = table["value"][rows[1][theirs]] - table["value"][rows[0][ours]]
    metric = tables.performance.metrics[int(table["metric"][rows[0][0]])]
    return {"windows": len(ours), "mean_difference": float(gains.mean()), "metric": metric}


def _segments(a: Run | None, b: Run | None) -> list[dict[str, Any]]:
    """The gains at the gate by segment, of both."""
    told = []
    for run in (a, b):
        measured = None if run is None else run.measurements
        segments = () if measured is None or measured.segments is msgspec.UNSET else measured.segments
        told.append({str(each): each.gain for each in segments})
    return [{"segment": name, "a": told[0].get(name), "b": told[1].get(name)} for name in sorted({*told[0], *told[1]})]


def _in_store(ask: Questions, of: ModelState, a: ModelVersion, b: ModelVersion) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return ask(Differ(made_of(of, a), made_of(of, b))), None
    except (UserError, TransientError) as exc:
        return None, str(exc)


def _mean(values: Any, weights: Any) -> float | None:
    there = np.isfinite(values)
    return known(np.average(values[there], weights=weights[there])) if there.any() else None
