"""What a run is told of the runs before it: what they measured against the same champion, and what they found out about its answers."""

from collections.abc import Iterator
from typing import Any

import msgspec

from driftloop.artifact.model_files import Manifest, load_manifest
from driftloop.contracts.commands import RegisterVersion
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.registry.records import ModelVersion
from driftloop.registry.state import ModelState

LOOKED_BACK = 20  # versions, for one that was measured against the champion


def earlier(store: ObjectStore, started: TrainingStarted, model: ModelState) -> dict[str, Any]:
    """The fields of the Job that the record before this run says. A run that has made a version is not told of what came after it, so
    that it can be made again."""
    found: dict[str, Any] = {"champion_recalibration": _in_force(started, model)}
    for version, manifest in _before(store, started, model):
        if "aged_before" not in found and manifest.aged is not msgspec.UNSET and _judged_before(version, started):
            found["aged_before"] = manifest.aged  # of recipes, whichever champion served beside them
        if not _is_about(version, started):
            continue
        measured = manifest.measurements
        same = measured is not None and measured.champion_version == started.pins.champion_version
        if same and "measured_before" not in found:  # it tells all that is known since the promotion
            found["measured_before"] = measured
        about = _about_the_champion(version, manifest, started)
        if about is not None and "recalibrated_before" not in found:
            found |= {"recalibrated_before": about, "candidate_before": _proposal(manifest, "candidate")}
    return found


def _before(store: ObjectStore, started: TrainingStarted, model: ModelState) -> Iterator[tuple[ModelVersion, Manifest]]:
    """The newest versions before this run's of which it may be told something; newest first."""
    own = model.by_request(started.request_id)
    known = [version for version in model.versions if own is None or version.version < own.version]
    for version in sorted(known, key=lambda each: each.version, reverse=True)[:LOOKED_BACK]:
        if not (_is_about(version, started) or _judged_before(version, started)):
            continue
        try:
            yield version, load_manifest(store, model.model, version.manifest)
        except (IntegrityError, ObjectNotFound):
            continue  # deleted since


def _is_about(version: ModelVersion, started: TrainingStarted) -> bool:
    """Whether it was compared with the pinned champion, or is it."""
    pins = version.pins  # none: it is served elsewhere, and no run of ours said anything about it
    return pins is not None and started.pins.champion_version in (version.version, pins.champion_version)


def _judged_before(version: ModelVersion, started: TrainingStarted) -> bool:
    """Whether its window is over when this run's begins. One that is judged again, or that overlaps it, has not said anything yet:
    otherwise a single change would count as often as somebody asks for a run."""
    its = version.pins.evaluation_window if version.pins is not None else None
    own = started.pins.evaluation_window
    return its is not None and own is not None and its.end <= own.start


def _about_the_champion(version: ModelVersion, manifest: Manifest, started: TrainingStarted) -> RecalibrationProposal | None:
    """The run that made the champion estimated on what its candidate said; those after it on what the champion itself did."""
    return _proposal(manifest, "candidate" if version.version == started.pins.champion_version else "champion")


def _proposal(manifest: Manifest, of: str) -> RecalibrationProposal | None:
    return next((proposal for proposal in manifest.recalibrations or () if proposal.of == of), None)


def _in_force(started: TrainingStarted, model: ModelState) -> Recalibration | None:
    """With which the pinned champion served when the run was not yet on the record."""
    own, newest = model.by_request(started.request_id), None
    for entry in model.history.answered.values():
        if own is not None and entry.type == RegisterVersion.TYPE and entry.outcome.version == own.version:
            break
        newest = entry.recalibrated or newest
    pins = started.pins
    if newest is None or (newest.version, newest.champion_epoch) != (pins.champion_version, pins.champion_epoch):
        return None
    return newest.recalibration
