"""Commands on ``registry-log``. The fold in ``driftloop.registry.fold`` accepts or refuses each, the same everywhere."""

from typing import ClassVar

import msgspec

from driftloop.contracts.canary import CanaryWindow, Move
from driftloop.contracts.events import Event
from driftloop.contracts.names import Digest, Name
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import GateMeasurements, ModelName, PromotionRules, StreamName, Time, TrainingPins
from driftloop.contracts.watched import Reference, ServedBy


class Command(Event, frozen=True, kw_only=True):
    """Base of all commands. A command id that the log already holds gets the first outcome again."""

    command_id: str
    at: Time  # wall time of the caller
    actor: str
    reason: str


class RegisterProject(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Make an archived project the current one of its model; services take schema and code from its archive."""

    TYPE: ClassVar[str] = "driftloop.register-project.v1"
    project: Name
    stream: StreamName
    model: ModelName
    archive: Digest
    schema_fingerprint: Digest
    promotion: PromotionRules
    stream_schema: StreamSchema | None = None  # of the archive; null in commands of earlier programs
    served_by: ServedBy | msgspec.UnsetType = msgspec.UNSET  # absent: driftloop's predictor


class RegisterVersion(Command, frozen=True, kw_only=True):
    """Give a stored manifest the model's next version number; one version per training request."""

    TYPE: ClassVar[str] = "driftloop.register-version.v1"
    model: ModelName
    request_id: str
    manifest: Digest
    pins: TrainingPins


class WatchVersion(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Give a version that is served elsewhere the model's next number, or, with another reference, a new one.

    ``reference`` null: that of the version that was watched before it.
    """

    TYPE: ClassVar[str] = "driftloop.watch-version.v1"
    model: ModelName
    served_as: str
    reference: Reference | None = None


class RefuseRun(Command, frozen=True, kw_only=True):
    """Decide against a completed run whose objects are not in the store as they were named: its request never becomes a version."""

    TYPE: ClassVar[str] = "driftloop.refuse-run.v1"
    model: ModelName
    request_id: str
    manifest: Digest
    problem: str


class PromoteVersion(Command, frozen=True, kw_only=True):
    """Make the version of a request champion if the gate agrees and the champion's epoch is still the expected one."""

    TYPE: ClassVar[str] = "driftloop.promote-version.v1"
    model: ModelName
    request_id: str
    expected_epoch: int
    measurements: GateMeasurements | None


class MoveAlias(Command, frozen=True, kw_only=True):
    """Point an alias at a version by a person's decision; also the way back (a rollback is a new record)."""

    TYPE: ClassVar[str] = "driftloop.move-alias.v1"
    model: ModelName
    alias: Name
    version: int
    expected_epoch: int


class Recalibrate(Command, frozen=True, kw_only=True):
    """Correct the champion's answers from now on, or no longer (``recalibration`` null).

    ``proposal``: what a run measured, for the gate; null: a person's decision, also the way back to an earlier correction.
    """

    TYPE: ClassVar[str] = "driftloop.recalibrate.v1"
    model: ModelName
    version: int
    champion_epoch: int  # of the champion's alias when that version was served
    expected_epoch: int  # of the recalibrations of the model
    recalibration: Recalibration | None
    proposal: RecalibrationProposal | None = None
    request_id: str | None = None


class MoveCanary(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Let a version answer a share of the entities, the next larger one, or none any more.

    ``judge``: by what was measured in ``windows``, oldest first; the fold says whether it goes on, goes back or stays. ``alpha``: the share
    of canaries that do no harm which may be stepped back; ``tolerance``: how much more loss is fine.
    """

    TYPE: ClassVar[str] = "driftloop.move-canary.v1"
    model: ModelName
    version: int
    move: Move
    champion_epoch: int
    expected_epoch: int  # of the canary's records of the model
    windows: tuple[CanaryWindow, ...] = ()
    alpha: float = 0.05
    tolerance: float = 0.0


class ApproveVersion(Command, frozen=True, kw_only=True):
    """Make the version that waits for a person champion, if the champion is still the one that it was measured against."""

    TYPE: ClassVar[str] = "driftloop.approve-version.v1"
    model: ModelName
    version: int


class RejectVersion(Command, frozen=True, kw_only=True):
    """Close the question of a version that waits for a person: the gate does not ask about it again."""

    TYPE: ClassVar[str] = "driftloop.reject-version.v1"
    model: ModelName
    version: int


class DeleteVersion(Command, frozen=True, kw_only=True):
    """Give a version up for good. Its record and its number stay; its bytes are clean-up's to remove."""

    TYPE: ClassVar[str] = "driftloop.delete-version.v1"
    model: ModelName
    version: int
