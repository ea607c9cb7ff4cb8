"""Who was trained on which snapshot: runs, and the model versions that came of them. Pure."""

from collections.abc import Iterable
from typing import Literal

from driftloop.contracts.events import Event, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.contracts.names import Digest
from driftloop.contracts.values import ModelName, Part
from driftloop.registry.state import ModelVersion

State = Literal["running", "failed", "completed", "version"]


class TrainedOn(Part, frozen=True, kw_only=True):
    """A run over a snapshot. ``version``: the model version that it became; a completed run without one was not registered."""

    model: ModelName
    request_id: str
    state: State
    version: int | None = None
    manifest: Digest | None = None
    recipe: str | None = None


def trained_on(versions: Iterable[ModelVersion], runs: Iterable[Event]) -> dict[str, list[TrainedOn]]:
    """By snapshot digest, in the order of model and version; runs without a version after those with one.

    ``runs``: the events of ``training-runs``, in the order of each model.
    """
    started: dict[str, TrainingStarted] = {}
    ended: dict[str, TrainingCompleted | TrainingFailed] = {}
    for event in runs:
        match event:
            case TrainingStarted():
                started.setdefault(event.request_id, event)
            case TrainingCompleted() | TrainingFailed():
                ended.setdefault(event.request_id, event)
            case _:
                pass  # newer kinds of events say nothing about snapshots
    found: dict[str, dict[str, TrainedOn]] = {}
    for request_id, start in started.items():
        found.setdefault(start.pins.snapshot, {})[request_id] = _run(start, ended.get(request_id))
    for version in versions:
        done = ended.get(version.request_id)
        found.setdefault(version.pins.snapshot, {})[version.request_id] = TrainedOn(
            model=version.model,
            request_id=version.request_id,
            state="version",
            version=version.version,
            manifest=version.manifest,
            recipe=done.recipe if isinstance(done, TrainingCompleted) else None,
        )
    return {snapshot: sorted(runs.values(), key=_order) for snapshot, runs in found.items()}


def _run(start: TrainingStarted, end: TrainingCompleted | TrainingFailed | None) -> TrainedOn:
    if isinstance(end, TrainingCompleted):
        return TrainedOn(model=start.model, request_id=start.request_id, state="completed", manifest=end.manifest, recipe=end.recipe)
    return TrainedOn(model=start.model, request_id=start.request_id, state="running" if end is None else "failed")


def _order(run: TrainedOn) -> tuple[str, bool, int, str]:
    return run.model, run.version is None, run.version or 0, run.request_id
