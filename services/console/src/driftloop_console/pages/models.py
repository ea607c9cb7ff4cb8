"""*Models*: versions, what the gate said of each, where one comes from, and what a person may ask for."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from driftloop.errors import TransientError, UserError
from driftloop.registry.state import CHAMPION, ModelState, ModelVersion, RegistryState
from driftloop_console.asking import Made, Questions
from driftloop_console.columns import milliseconds, moment
from driftloop_console.record import ConsoleFold
from driftloop_console.runs import Run
from driftloop_console.sentences import number, window_in_words
from driftloop_console.view import NotFound, View

SHOWN = 50
MOST = 1_000


def models(record: ConsoleFold, registry: RegistryState, view: View, model: str) -> dict[str, Any]:
    """The newest versions of one model, and where ``roll back`` leads to."""
    known = found(registry, model)
    champion = known.champion
    first = view.whole("skip", 0, least=0, most=1_000_000)
    newest = known.versions[::-1][first : first + view.whole("entries", SHOWN, least=1, most=MOST)]
    back = known.before(CHAMPION)
    with record.reading():
        rows = [_row(known, version, record.runs.run(version.request_id)) for version in newest]
    return {
        "model": model,
        "project": known.project.project if known.project else None,
        "approval": known.project.promotion.approval if known.project else None,
        "champion": champion.version if champion else None,
        "champion_epoch": known.champion_epoch,
        "champion_since": known.aliases[CHAMPION].since if champion else None,
        "recalibrated": known.recalibration_in_force is not None,
        "back": back if back is not None and known.state_of(back) != "deleted" else None,
        "waiting": sorted(number for number in known.standings if known.state_of(number) == "waiting"),
        "count": len(known.versions),
        "skipped": first,
        "more": first + len(newest) if first + len(newest) < len(known.versions) else None,
        "versions": rows,
    }


def version(record: ConsoleFold, registry: RegistryState, ask: Questions, view: View, model: str) -> dict[str, Any]:
    """One version. ``card=1`` in the address: with its card and what it is made of, from the store. Raises NotFound."""
    known = found(registry, model)
    one = version_of(known, view.whole("version", 0, least=0, most=10**9))
    with record.reading():
        run = record.runs.run(one.request_id)
        row = _row(known, one, run)
    moves = [entry for entry in known.history.answered.values() if entry.alias == CHAMPION and entry.moved is not None]
    held = [entry for entry in moves if entry.moved is not None and entry.moved.version == one.version]
    in_store, why_not = _in_store(ask, known, one) if view.text("card") == "1" else (None, None)
    return row | {
        "model": model,
        "store": in_store,
        "why_not": why_not,
        "compare_with": None if len(known.versions) < 2 else _other(known, one),
        "champion_epoch": known.champion_epoch,
        "is_champion": known.champion is not None and known.champion.version == one.version,
        "sentences": list(_lineage(one, run, known)),
        "champion_times": [{"since": e.moved.since, "by": e.actor, "reason": e.reason} for e in held if e.moved is not None],
        "measurements": None if run is None else run.measurements,
        "stages": _stages(run, one, [e.moved.since for e in held if e.moved is not None]),
        "candidates": [] if run is None else run.candidates,
        "pins": msgspec.to_builtins(one.pins) or {},
        "served_elsewhere": one.served_elsewhere,
        "manifest": one.manifest,
        "request_id": one.request_id,
    }


def made_of(of: ModelState, version: ModelVersion) -> Made:
    """What the store is asked for."""
    project = None if of.project is None else of.project.project
    return Made(of.model, version.manifest, project, None if version.pins is None else version.pins.project)


def _in_store(ask: Questions, of: ModelState, version: ModelVersion) -> tuple[dict[str, Any] | None, str | None]:
    if version.served_elsewhere:
        return None, "it is served elsewhere: nothing of it is in the store"
    try:
        return ask(made_of(of, version)), None
    except (UserError, TransientError) as exc:
        return None, str(exc)


def _other(known: ModelState, one: ModelVersion) -> int:
    """What a version is compared with unless somebody says: the champion, of the champion the one before it."""
    champion = known.champion
    if champion is not None and champion.version != one.version:
        return champion.version
    return one.version - 1 if one.version > 1 else 2


def version_of(known: ModelState, number: int) -> ModelVersion:
    """Raises NotFound."""
    one = known.version(number)
    if one is None:
        have = f"it has 1 to {len(known.versions)}" if known.versions else "it has none yet"
        raise NotFound(f"{known.model} has no version {number}: {have}")
    return one


def found(registry: RegistryState, model: str) -> ModelState:
    """Raises NotFound."""
    known = registry.model(model)
    if known is None:
        have = ", ".join(sorted(registry.models)[:20])
        raise NotFound(
            f"no model {model} is registered" + (f": there are {have}" if have else "; `driftloop up --project DIR` registers one")
        )
    return known


def _row(known: ModelState, one: ModelVersion, run: Run | None) -> dict[str, Any]:
    standing = known.standings.get(one.version)
    is_champion = known.champion is not None and known.champion.version == one.version
    measured = None if run is None else run.measurements
    return {
        "version": one.version,
        "state": "champion" if is_champion else standing.state if standing else None,
        "standing_reason": standing.reason if standing else None,
        "aliases": sorted(alias.name for alias in known.aliases.values() if alias.version == one.version),
        "registered": one.registered_at,
        "recipe": None if run is None else run.recipe,
        "rows": None if run is None else run.rows,
        "why": None if run is None else run.why,
        "metric": None if measured is None else measured.metric,
        "candidate": None if measured is None else measured.candidate,
        "against": None if measured is None else measured.champion,
        "against_version": None if measured is None else measured.champion_version,
        "accepted": None if run is None else run.accepted,
        "verdict": None if run is None else run.verdict,
    }


def _stages(run: Run | None, one: ModelVersion, champion_since: list[datetime]) -> list[dict[str, Any]]:
    """Where the time went from the request until it was champion first, in seconds, as far as it was told."""
    told = Run(one.request_id, "") if run is None else run
    first = milliseconds(min(champion_since)) if champion_since else None
    marks = [("asked", told.asked), ("data pinned", told.started), ("trained and measured", told.ended), ("judged", told.judged)]
    marks += [("registered", milliseconds(one.registered_at)), ("champion", first)]
    known = sorted((at, place, name) for place, (name, at) in enumerate(marks) if at is not None)
    return [{"stage": name, "seconds": (at - before) / 1000} for (before, _, _), (at, _, name) in itertools.pairwise(known)]


def _lineage(one: ModelVersion, run: Run | None, known: ModelState) -> Iterable[str]:
    """One path that reads from the reason to the bytes."""
    if one.watched is not msgspec.UNSET:
        yield f"It is served elsewhere, as {one.watched.served_as}: nothing is known of how it was made, and there are no bytes of it here."
        yield f"What is known of it is named by {one.manifest[:12]}."
        return
    if run is None:
        yield f"The record holds nothing any more of the run that made it, of request {one.request_id}."
    else:
        if run.asked is not None:
            yield f"Asked for on {_at(run.asked)} by {run.asked_by}: {run.why}."
        if run.ended is not None and run.recipe is not None:
            took = f" in {run.seconds:.0f} s" if run.seconds is not None else ""
            yield f"Trained with the recipe {run.recipe} on {run.rows:,} rows{took}, the best of {max(1, len(run.candidates))} tried."
        measured = run.measurements
        if measured is not None:
            yield (
                f"Judged on {measured.rows:,} labelled rows of {window_in_words(measured.window)}: {measured.metric} "
                f"{number(measured.candidate)} against {number(measured.champion)} of version {measured.champion_version}."
            )
        elif run.ended is not None:
            yield "Judged against nobody: there was no champion yet."
        if run.verdict is not None:
            yield f"The gate said {'yes' if run.accepted else 'no'}: {run.verdict}."
    pins = one.pins
    if pins is not None:
        code = f"driftloop {pins.code} and project {pins.project[:12]}"
        yield f"Its rows are snapshot {pins.snapshot[:12]}, its code {code}, seed {pins.seed}."
    yield f"Its bytes are named by manifest {one.manifest[:12]}."


def _at(ms: int) -> str:
    return moment(ms).strftime("%Y-%m-%d %H:%M")
