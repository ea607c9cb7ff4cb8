"""A version made again from its pins, in a process like the one that made it, and compared with what is stored.

Nothing is stored or published here: the rebuilt files live in the folder that the caller gives, and end with it.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from driftloop.artifact import model_files
from driftloop.artifact.model_files import Manifest, load_file, load_manifest
from driftloop.code_version import code_version, same_code
from driftloop.contracts.events import ReproductionLevel, TrainingStarted
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Difference, Part
from driftloop.contracts.windows import parse_duration
from driftloop.crashpoints import crash_point
from driftloop.errors import IntegrityError, ObjectNotFound, UserError
from driftloop.lineage.watched_chain import NO_ARTIFACT
from driftloop.ports import ObjectStore
from driftloop.project.archives import archived_project
from driftloop.registry.state import ModelState, ModelVersion
from driftloop.training.environment import environment_digest
from driftloop.training.environment_difference import differences
from driftloop.training.job import JOB_FILE, RECORDED_FILE, Agreement, Job, Recorded, RunProgress, write_json, write_model
from driftloop.training.levels import level_of
from driftloop.training.process import StopSignal, train
from driftloop.training.workspace import Workspace


class FilePair(Part, frozen=True, kw_only=True):
    """sha256 of one file of the version, as stored and as rebuilt."""

    recorded: str
    rebuilt: str
    same: bool


class Reproduction(Part, frozen=True, kw_only=True):
    """What came of it. ``manifest`` names the stored version and ``rebuilt_manifest`` what storing the rebuilt one would
    give: the same only if the environment is the same too. ``comparison``: whether the candidates were fitted again."""

    model: str
    version: int
    level: ReproductionLevel
    files: dict[str, FilePair]
    manifest: str
    rebuilt_manifest: str
    comparison: Literal["recorded", "repeated", "none"]
    agreement: Agreement | None
    differences: tuple[Difference, ...]
    environment: str  # digest of the one that it was rebuilt in
    code: str
    seconds: float


def found_version(model: ModelState, number: int) -> ModelVersion:
    """Raises UserError when there is no such version, or when it was given up."""
    version = model.version(number)
    if version is None:
        has = f"versions 1 to {len(model.versions)}" if model.versions else "no version yet"
        raise UserError(f"the model {model.model} has no version {number}: it has {has}")
    if model.state_of(number) == "deleted":
        raise UserError(f"version {number} of {model.model} was deleted by {model.standings[number].by}: {model.standings[number].reason}")
    return version


def reproduce(
    store: ObjectStore,
    model: ModelState,
    number: int,
    folder: Path,
    *,
    stop: StopSignal,
    on_progress: Callable[[RunProgress], None],
    compare_again: bool = False,
) -> Reproduction:
    """Rebuild version ``number`` in ``folder``, from the pinned data, code, seed and number of threads.

    The recorded comparison of candidates stands, unless ``compare_again`` or there is none: only the winner is fitted.
    Raises UserError when there is no such version or it cannot be fitted again, IntegrityError when something that it was
    made from is gone or damaged, TransientError when the store is away or a stop came first.
    """
    began = time.monotonic()
    version = found_version(model, number)
    pins = version.pins
    if pins is None:
        raise UserError(f"version {number} of {model.model} is served elsewhere, and there is {NO_ARTIFACT}")
    manifest, recorded = _stored(store, model.model, version)
    project = archived_project(store, model, pins.project)
    workspace = Workspace(folder, store)
    started = TrainingStarted(model=model.model, request_id=version.request_id, answers=(version.request_id,), pins=pins)
    on_progress(RunProgress(step="reading"))
    try:
        run = workspace.lay_out(started, model, project)
    except ObjectNotFound as exc:
        raise IntegrityError(f"version {number} was made from {exc}, which is not in the store any more") from exc
    known = _recorded(recorded[model_files.LINEAGE], version)
    # Without measurements it has to be made again: then the card has a note why there are none, which only a run knows.
    comparison = None if compare_again or known.measurements is None else known
    job = msgspec.json.decode((run / JOB_FILE).read_bytes(), type=prepared(Job))
    write_model(run, RECORDED_FILE, {name: recorded[name] for name in model_files.models_of(recorded)})
    write_json(run / JOB_FILE, msgspec.structs.replace(job, recorded=comparison, champion_recalibration=known.champion_recalibration))
    crash_point("reproduce.before-fit")
    on_progress(RunProgress(step="fitting", recipe=manifest.recipe, rows=manifest.rows))
    timeout = parse_duration(project.training.timeout).total_seconds()
    result = train(run, threads=pins.threads, timeout_seconds=timeout, stop=stop, on_progress=on_progress)
    crash_point("reproduce.after-fit")
    if result.trained is None:
        reason = result.failure.reason if result.failure else "the training process left no result"
        raise UserError(f"version {number} cannot be fitted again: {reason}")
    rebuilt, contents = workspace.manifest(run, started, project, result.trained)
    files = {name: _pair(recorded.get(name, b""), contents.get(name, b"")) for name in {**recorded, **contents}}
    first = pins.champion_version is None
    return Reproduction(
        model=model.model,
        version=number,
        level=level_of({name: pair.same for name, pair in files.items()}, result.trained.agreement),
        files=files,
        manifest=version.manifest,
        rebuilt_manifest=hashlib.sha256(rebuilt.encode()).hexdigest(),
        comparison="none" if first else "recorded" if comparison else "repeated",
        agreement=result.trained.agreement,
        differences=(*_code(pins.code), *differences(manifest.environment, rebuilt.environment)),
        environment=environment_digest(rebuilt.environment),
        code=code_version(),
        seconds=round(time.monotonic() - began, 3),
    )


def _stored(store: ObjectStore, model: str, version: ModelVersion) -> tuple[Manifest, dict[str, bytes]]:
    try:
        manifest = load_manifest(store, model, version.manifest)
    except ObjectNotFound as exc:
        raise IntegrityError(f"version {version.version} of {model} is not in the store any more: {exc} is missing") from exc
    if manifest.pins != version.pins:
        raise IntegrityError(f"the registry has other pins of version {version.version} than its manifest {version.manifest}")
    return manifest, {name: load_file(store, manifest, version.manifest, name) for name in model_files.files_of(manifest)}


def _recorded(lineage: bytes, version: ModelVersion) -> Recorded:
    try:
        return msgspec.json.decode(lineage, type=prepared(Recorded))
    except msgspec.MsgspecError as exc:
        raise IntegrityError(f"the lineage of version {version.version} is not readable: {exc}") from exc


def _code(recorded: str) -> tuple[Difference, ...]:
    now = code_version()
    return () if same_code(now, recorded) else (Difference(what="driftloop", recorded=recorded, now=now),)


def _pair(recorded: bytes, rebuilt: bytes) -> FilePair:
    was, now = hashlib.sha256(recorded).hexdigest(), hashlib.sha256(rebuilt).hexdigest()
    return FilePair(recorded=was, rebuilt=now, same=was == now)
