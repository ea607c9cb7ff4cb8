"""The bytes of deleted versions: removed when nothing needs them, the record of the version kept.

Manifest, card, lineage and profile stay, a few kilobytes: a trace of the version's predictions still leads to snapshot, code
and environment, and a window that it scored rows of may still be open: they are counted by its profile. The model's files go.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from driftloop.artifact.model_files import MODEL, load_manifest, model_key, models_of
from driftloop.contracts.events import TrainingStarted
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.history.requests import Run
from driftloop.ports import ObjectStore
from driftloop.registry.state import ModelState
from driftloop.registry.versions import bytes_held

REMOVED = (MODEL,)


class Deleted(NamedTuple):
    """A deleted version. ``held``: why its bytes stay; ``bytes`` are those that its removable files have now."""

    version: int
    held: str | None
    keys: tuple[str, ...]
    bytes: int


def unfailed_runs(runs: Iterable[Run]) -> list[TrainingStarted]:
    """The runs that have started and not failed, whether they have ended or not. One that only another's failure names counts."""
    return [run.started.event for run in runs if run.started is not None and not _failed(run)]


def _failed(run: Run) -> bool:
    return run.failed is not None and run.failed.event.request_id == run.request_id


def deleted_versions(store: ObjectStore, model: ModelState, runs: Sequence[TrainingStarted], *, before: datetime) -> list[Deleted]:
    """Every deleted version that still has such files. Changes nothing. Raises TransientError.

    One deleted at ``before`` or later is held: a trainer may have read the registry just before, and not have said so yet.
    ``model`` is to be read after ``runs``: a run that has become a version in between counts as one.
    """
    found = []
    for version in model.versions:
        if model.state_of(version.version) != "deleted":
            continue
        names = (*REMOVED, *_estimators(store, model.model, version.manifest))
        sizes = {key: size for name in names if (size := _size(store, key := model_key(model.model, version.manifest, name))) is not None}
        if sizes:
            held = bytes_held(model, version.version, runs) or _fresh(model.standings[version.version].since, before)
            found.append(Deleted(version.version, held, tuple(sizes), sum(sizes.values())))
    return found


def remove(store: ObjectStore, found: Sequence[Deleted]) -> None:
    """Remove what nothing holds. Safe to repeat, and to be killed in. Raises TransientError."""
    for each in found:
        if each.held is None:
            for key in each.keys:
                store.delete(key)


def _estimators(store: ObjectStore, model: str, manifest: str) -> tuple[str, ...]:
    """The files of its estimators that their libraries store; none where the manifest is gone."""
    try:
        return models_of(load_manifest(store, model, manifest).files)[1:]
    except (ObjectNotFound, IntegrityError):
        return ()


def _fresh(deleted: datetime, before: datetime) -> str | None:
    return f"it was deleted only at {deleted.isoformat()}" if deleted >= before else None


def _size(store: ObjectStore, key: str) -> int | None:
    try:
        return store.stat(key).size
    except ObjectNotFound:
        return None
