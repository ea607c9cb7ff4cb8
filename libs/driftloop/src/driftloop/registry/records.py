"""The values that the registry's state is made of. Immutable, and each one JSON as it stands: the view on disk keeps them so."""

import hashlib
import sys
from collections.abc import Iterable
from typing import Literal

import msgspec

from driftloop.contracts.canary import CanaryState, CanaryWindow
from driftloop.contracts.canary_steps import share_text
from driftloop.contracts.names import Digest, Name
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import ModelName, Part, PromotionRules, StreamName, Time, TrainingPins
from driftloop.contracts.watched import ServedBy, Watched

CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST_VERSION = 2  # of ``content_digest``; 1 held every refused command in full

VersionState = Literal["waiting", "rejected", "deleted"]


class Outcome(Part, frozen=True, kw_only=True):
    """What the fold answered to a command. ``epoch``: of the alias in question after the command, moved or not.

    ``waiting``: neither accepted nor refused yet, because the project asks for a person.
    """

    accepted: bool
    reason: str
    version: int | None = None
    epoch: int | None = None
    waiting: bool = False

    @property
    def refused(self) -> bool:
        return not (self.accepted or self.waiting)


class ModelVersion(Part, frozen=True, kw_only=True):
    """One trained model: the manifest that names its bytes, and the pins that it can be rebuilt from.

    Or one that is served elsewhere: ``watched`` says what is known of it, by its digest; there are no bytes of it, and no pins.
    """

    model: ModelName
    version: int
    request_id: str
    manifest: Digest
    pins: TrainingPins | None
    registered_at: Time
    watched: Watched | msgspec.UnsetType = msgspec.UNSET

    @property
    def served_elsewhere(self) -> bool:
        return self.watched is not msgspec.UNSET


class Alias(Part, frozen=True, kw_only=True):
    """A name for a version. ``epoch`` counts its moves from 1; ``since`` never goes back from one epoch to the next."""

    name: Name
    version: int
    epoch: int
    since: Time


class ApprovalStatus(Part, frozen=True, kw_only=True):
    """What people are asked, or have said, about a version. Most versions have none, and a champion's ends when it becomes that.

    ``since``, ``by`` and ``reason`` are of the command that made it; the champion's are of a waiting version's measurements.
    """

    model: ModelName
    version: int
    state: VersionState
    since: Time
    by: str
    reason: str
    champion_version: int | None = None
    champion_epoch: int | None = None


class ProjectRef(Part, frozen=True, kw_only=True):
    """The current archive of a model's project."""

    project: Name
    stream: StreamName
    model: ModelName
    archive: Digest
    schema_fingerprint: Digest
    promotion: PromotionRules
    stream_schema: StreamSchema | None = None  # null for projects that earlier programs registered
    served_by: ServedBy | msgspec.UnsetType = msgspec.UNSET  # absent: driftloop's predictor


class RefusedRun(Part, frozen=True, kw_only=True):
    """A completed training run that cannot become a version, and why: of one request, for ever."""

    model: ModelName
    request_id: str
    manifest: Digest
    problem: str


class RecalibrationRecord(Part, frozen=True, kw_only=True):
    """From ``since`` on the answers of this version, as champion of this epoch, are corrected by ``recalibration``; null: no longer.

    ``epoch`` counts a model's records from 1. ``request_id``: whose run measured it; null: a person's decision.
    """

    epoch: int
    version: int
    champion_epoch: int
    recalibration: Recalibration | None
    since: Time
    by: str
    reason: str
    request_id: str | None = None


class CanaryRecord(Part, frozen=True, kw_only=True):
    """From ``since`` on this version answers ``share`` of 10,000 buckets of entities beside the champion of this epoch; 0: none any more.

    ``epoch`` counts a model's records from 1, ``began`` is that of the canary's first. ``step`` counts its ``steps`` from 1, as they were
    declared when it began; 0: it has ended. ``windows``: what the verdict was based on; none: a person's decision.
    """

    epoch: int
    version: int
    champion_epoch: int
    step: int
    steps: tuple[str, ...]
    share: int
    state: CanaryState
    began: int
    since: Time
    by: str
    reason: str
    windows: tuple[CanaryWindow, ...] = ()

    def words(self) -> str:
        return f"the canary of version {self.version} at {share_text(self.share)}"


class LogEntry(Part, frozen=True, kw_only=True):
    """A command with its outcome, as history shows it. ``alias`` and ``moved`` are null for commands that move none, ``recalibrated``
    is absent for those that put no record of recalibration in force, ``canary`` for those that make none of a canary."""

    offset: int
    command_id: str
    type: str
    model: str
    at: Time
    actor: str
    reason: str
    outcome: Outcome
    alias: str | None = None
    moved: Alias | None = None
    recalibrated: RecalibrationRecord | msgspec.UnsetType = msgspec.UNSET
    canary: CanaryRecord | msgspec.UnsetType = msgspec.UNSET


def sharing(entry: LogEntry) -> LogEntry:
    """The same entry, with the texts that it has in common with others held once by the process: a state has every entry that had an
    effect, and most of them were asked of the same model, by the same few, for the same few reasons."""
    outcome = entry.outcome
    return msgspec.structs.replace(
        entry,
        type=sys.intern(entry.type),
        model=sys.intern(entry.model),
        actor=sys.intern(entry.actor),
        reason=sys.intern(entry.reason),
        alias=None if entry.alias is None else sys.intern(entry.alias),
        outcome=msgspec.structs.replace(outcome, reason=sys.intern(outcome.reason)),
        moved=None if entry.moved is None else msgspec.structs.replace(entry.moved, name=sys.intern(entry.moved.name)),
    )


def content_digest(
    *,
    projects: Iterable[ProjectRef],
    versions: Iterable[ModelVersion],
    aliases: Iterable[tuple[str, Alias]],
    standings: Iterable[ApprovalStatus],
    refused_runs: Iterable[RefusedRun],
    entries: Iterable[LogEntry],
    refusals: str,
    next_offset: int,
    recalibrations: Iterable[tuple[str, RecalibrationRecord]] = (),
) -> str:
    """The digest of a state in parts, in any order: ``RegistryState.digest`` and the view on disk give the same.

    ``refusals`` is the chain of all commands that were ever refused (``RefusedIds``), of which ``entries`` holds the newest.
    ``recalibrations`` are counted in where there are any: a log without one has the digest that it had before they came.
    """
    content = {
        "digest_version": DIGEST_VERSION,
        "projects": {project.model: project for project in projects},
        "versions": {f"{version.model}/{version.version}": version for version in versions},
        "aliases": {f"{model}/{alias.name}": alias for model, alias in aliases},
        "standings": {f"{standing.model}/{standing.version}": standing for standing in standings},
        "refused_runs": {f"{run.model}/{run.request_id}": run for run in refused_runs},
        "entries": {str(entry.offset): entry for entry in entries},
        "refusals": refusals,
        "next_offset": next_offset,
    }
    records = {f"{model}/{record.epoch}": record for model, record in recalibrations}
    if records:
        content["recalibrations"] = records
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
