"""The loop as it is now: a station a service, with how fast it goes, how far behind it is, and what it is about. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from driftloop.contracts.services import INGEST, MONITOR, PREDICTOR, REGISTRY, TRAINER
from driftloop_console.columns import moment
from driftloop_console.html import time
from driftloop_console.rounds import Progress
from driftloop_console.runs import Run

STATIONS = (PREDICTOR.name, INGEST.name, MONITOR.name, TRAINER.name, REGISTRY.name)
MOST_NAMED = 4  # models of a station
DOES = {
    PREDICTOR.name: "scores",
    INGEST.name: "keeps rows and labels",
    MONITOR.name: "compares and decides",
    TRAINER.name: "trains",
    REGISTRY.name: "promotes",
}


def stations(
    progress: Sequence[Progress], projects: Sequence[str] | None, models: Sequence[Mapping[str, Any]], running: Sequence[Run]
) -> list[dict[str, Any]]:
    """``projects``: whose services count, beside those that work for all; None: everybody's. ``models``: as *Now* tells of them."""
    about = {
        PREDICTOR.name: [_champion(model) for model in models],
        INGEST.name: [f"{model['model']}: {_share(model['coverage'])} labelled" for model in models if model["coverage"] is not None],
        MONITOR.name: [_window(model) for model in models if model["window_end"] is not None],
        TRAINER.name: [f"{run.model}: in hand since {_minute(run)}" for run in running] or ["nothing in hand"],
        REGISTRY.name: [_registered(model) for model in models],
    }
    return [_station(name, [each for each in progress if _counts(each, name, projects)], about[name]) for name in STATIONS]


def _counts(each: Progress, service: str, projects: Sequence[str] | None) -> bool:
    return each.service == service and (projects is None or each.project is None or each.project in projects)


def _station(name: str, members: Sequence[Progress], about: list[str]) -> dict[str, Any]:
    instances, ready, answering = (sum(getattr(each, field) for each in members) for field in ("instances", "ready", "answering"))
    state = None if not instances else "ready" if ready == instances else "down" if not answering else "not ready"
    asked = answering > 0 and name not in (TRAINER.name, REGISTRY.name)
    return {
        "service": name,
        "does": DOES[name],
        "state": state,
        "instances": instances,
        "ready": ready,
        "rows_per_second": sum(each.rows_per_second for each in members) if asked else None,
        "behind": sum(each.behind for each in members) if answering else None,
        "about": about[:MOST_NAMED] + ([f"and {len(about) - MOST_NAMED} more"] if len(about) > MOST_NAMED else []),
    }


def _champion(model: Mapping[str, Any]) -> str:
    return f"{model['model']}: version {model['champion']}" if model["champion"] else f"{model['model']}: no champion yet, scores are null"


def _window(model: Mapping[str, Any]) -> str:
    verdict = f", {model['answer']}" if model["answer"] else ""
    return f"{model['model']}: last window ended {time(model['window_end'])}{verdict}"


def _registered(model: Mapping[str, Any]) -> str:
    waits = f", {len(model['waiting'])} waiting for a person" if model["waiting"] else ""
    return f"{model['model']}: {model['versions']} version{'' if model['versions'] == 1 else 's'}{waits}"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def _minute(run: Run) -> str:
    return "an unknown time" if run.started is None else time(moment(run.started))
