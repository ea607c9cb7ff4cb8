"""*Now*: what runs, how far each service is, what is stuck and what to do, in words; champions, and how much is labelled."""

from typing import Any

import numpy as np

from driftloop.registry.state import CHAMPION, ModelState, RegistryState
from driftloop_console.columns import ALL_VERSIONS, moment
from driftloop_console.pages.loop import stations
from driftloop_console.performance_table import ANSWERS
from driftloop_console.record import ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.view import View

RECENT_WINDOWS = 5
NOTHING: dict[str, Any] = {"window_end": None, "coverage": None, "value": None, "metric": None, "answer": None}


def now(record: ConsoleFold, registry: RegistryState, rounds: Rounds, view: View) -> dict[str, Any]:
    found = rounds.newest()
    wanted = [model for name, model in sorted(registry.models.items()) if view.model in (None, name)]
    with record.reading():
        models = [_model(record, model) for model in wanted]
        running = record.runs.in_hand({model.model for model in wanted})
    projects = None if view.model is None else [model.project.project for model in wanted if model.project is not None]
    words = [{"about": word.about, "says": word.says, "act": word.act} for word in found.words]
    return {
        "model": view.model,
        "at": found.at,
        "trouble": found.trouble,
        "words": sorted(words, key=lambda word: word["act"] is None),  # what a person should do comes first
        "to_do": sum(word["act"] is not None for word in words),
        "services": [{"instance": s.instance, "state": s.state, "project": _text(s.project), "url": s.url} for s in found.services],
        "models": models,
        "loop": stations(found.progress, projects, models, running),
    }


def _model(record: ConsoleFold, model: ModelState) -> dict[str, Any]:
    champion = model.aliases.get(CHAMPION)
    return {
        "model": model.model,
        "champion": champion.version if champion else None,
        "since": champion.since if champion else None,
        "versions": len(model.versions),
        "waiting": sorted(number for number in model.standings if model.state_of(number) == "waiting"),
        **_newest(record, model.model),
    }


def _newest(record: ConsoleFold, model: str) -> dict[str, Any]:
    """Of the newest windows: when the last one ended, its verdict, and the share of labelled rows of the last few."""
    tables = record.tables(model)
    if tables is None or tables.performance.table.rows == 0:
        return NOTHING
    table = tables.performance.table
    rows = np.flatnonzero(table["version"] == ALL_VERSIONS)[-RECENT_WINDOWS:]
    if len(rows) == 0:
        return NOTHING
    answers = tables.performance.answers(table.between(int(table["start"][rows[-1]]), None))
    measured = [value for value in table["value"][rows].tolist() if value == value]
    return {
        "answer": ANSWERS[int(answers.code[-1])] if len(answers.code) else None,
        "window_end": moment(table["end"][rows[-1]]),
        "coverage": float(table["labelled"][rows].sum() / max(1, table["rows"][rows].sum())),
        "value": measured[-1] if measured else None,
        "metric": tables.performance.metrics[int(table["metric"][rows[-1]])],
    }


def _text(project: object) -> str | None:
    return project if isinstance(project, str) else None
