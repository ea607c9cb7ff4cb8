"""Who was trained on which snapshot: runs, and the model versions that came of them. Pure."""

from collections.abc import Iterable
from typing import Literal

from driftloop.contracts.names import Digest
from driftloop.contracts.values import ModelName, Part
from driftloop.history.requests import Run
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


def trained_on(versions: Iterable[ModelVersion], runs: Iterable[Run]) -> dict[str, list[TrainedOn]]:
    """By snapshot digest, in the order of model and version; runs without a version after those with one."""
    by_request = {run.request_id: run for run in runs}
    found: dict[str, dict[str, TrainedOn]] = {}
    for request_id, run in by_request.items():
        if run.started is not None:
            found.setdefault(run.started.event.pins.snapshot, {})[request_id] = _run(run, run.started.event.model)
    for version in versions:
        if version.pins is None:
            continue  # served elsewhere: trained on what nobody here knows
        done = by_request.get(version.request_id)
        found.setdefault(version.pins.snapshot, {})[version.request_id] = TrainedOn(
            model=version.model,
            request_id=version.request_id,
            state="version",
            version=version.version,
            manifest=version.manifest,
            recipe=done.completed.event.recipe if done is not None and done.completed is not None else None,
        )
    return {snapshot: sorted(uses.values(), key=_order) for snapshot, uses in found.items()}


def _run(run: Run, model: str) -> TrainedOn:
    end = run.completed
    if end is not None:
        return TrainedOn(model=model, request_id=run.request_id, state="completed", manifest=end.event.manifest, recipe=end.event.recipe)
    return TrainedOn(model=model, request_id=run.request_id, state="running" if run.failed is None else "failed")


def _order(run: TrainedOn) -> tuple[str, bool, int, str]:
    return run.model, run.version is None, run.version or 0, run.request_id
