"""Models, versions and aliases as the registry answers them over HTTP."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from driftloop.client.arguments import checked_name
from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import ModelName, Part, Time
from driftloop.errors import TransientError, UserError
from driftloop.registry.persistent_map import PersistentMap, ReplacingMap
from driftloop.registry.records import Alias, ApprovalStatus, CanaryRecord, LogEntry, ModelVersion, ProjectRef, RecalibrationRecord
from driftloop.registry.state import ModelState

T = TypeVar("T")


class ModelSummary(Part, frozen=True, kw_only=True):
    """A model with its champion. ``versions``: how many; ``waiting``: those that wait for a person."""

    model: ModelName
    project: ProjectRef | None
    versions: int
    aliases: dict[str, Alias]
    champion: int | None
    champion_epoch: int
    waiting: tuple[int, ...]
    canary: CanaryRecord | None = None  # that is in force


class RegisteredVersion(ModelVersion, frozen=True, kw_only=True):
    """``standing``: null when nobody is asked about it and nobody has ruled it out."""

    standing: ApprovalStatus | None = None


class RegisteredModel(Part, frozen=True, kw_only=True):
    """A model with all its versions, in order, and all records of recalibration, of a registry that tells them."""

    model: ModelName
    project: ProjectRef | None
    versions: tuple[RegisteredVersion, ...]
    aliases: dict[str, Alias]
    champion: int | None
    champion_epoch: int
    waiting: tuple[int, ...]
    recalibrations: tuple[RecalibrationRecord, ...] = ()
    canary: CanaryRecord | None = None
    canaries: tuple[CanaryRecord, ...] = ()  # all of its records

    def state(self) -> ModelState:
        """The same as the registry's fold has it; its history is not part of it."""
        standings = {version.version: version.standing for version in self.versions if version.standing is not None}
        plain = tuple(ModelVersion(**{field: getattr(v, field) for field in ModelVersion.__struct_fields__}) for v in self.versions)
        return ModelState(
            model=self.model,
            project=self.project,
            versions=plain,
            requests=PersistentMap.of({version.request_id: version.version for version in plain}),
            aliases=ReplacingMap.of(self.aliases),
            standings=standings,
            recalibrations=PersistentMap.of({record.epoch: record for record in self.recalibrations}),
            canaries=PersistentMap.of({record.epoch: record for record in self.canaries}),
        )


class Recalibrations(Part, frozen=True, kw_only=True):
    """How the champion's answers are corrected, null: not at all, and all records, oldest first."""

    model: ModelName
    champion: int | None
    champion_epoch: int
    epoch: int
    in_force: RecalibrationRecord | None
    recalibrations: tuple[RecalibrationRecord, ...]


class AliasMove(Part, frozen=True, kw_only=True):
    """Where an alias pointed at a moment, since when, who had moved it there and why; ``outcome``: what the registry said to it."""

    model: ModelName
    alias: str
    version: int
    epoch: int
    since: Time
    manifest: str
    request_id: str
    by: str
    reason: str
    outcome: str


def models(registry: RegistryClient) -> list[ModelSummary]:
    """Every model that is registered. Raises TransientError."""
    return _converted(registry.get("/models"), list[ModelSummary])


def model(registry: RegistryClient, name: str) -> RegisteredModel:
    """Raises UserError when ``name`` is no name or no model, TransientError when the registry cannot be asked."""
    return _converted(registry.get(f"/models/{checked_name(name)}"), RegisteredModel)


def all_models(registry: RegistryClient) -> list[ModelState]:
    """Every model that the registry knows, with its versions. Raises TransientError."""
    return [model(registry, found.model).state() for found in models(registry)]


def history(registry: RegistryClient, name: str, limit: int) -> list[LogEntry]:
    """The newest ``limit`` commands about a model, oldest first; refused ones too. Raises UserError, TransientError."""
    return _converted(registry.get(f"/models/{checked_name(name)}/history", limit=limit), list[LogEntry])


def recalibrations(registry: RegistryClient, name: str) -> Recalibrations:
    """Raises UserError, TransientError."""
    return _converted(registry.get(f"/models/{checked_name(name)}/recalibrations"), Recalibrations)


def alias_at(registry: RegistryClient, name: str, time: datetime, alias: str) -> AliasMove:
    """Raises UserError when the alias was not set yet, TransientError."""
    found = registry.get(f"/models/{checked_name(name)}/at", time=time.isoformat(), alias=checked_name(alias))
    return _converted(found, AliasMove)


def registered_streams(registry: RegistryClient) -> list[str]:
    """In order of their names. Raises TransientError."""
    return sorted({found.project.stream for found in models(registry) if found.project is not None})


def only_stream(registry: RegistryClient) -> str:
    """The stream, when there is one. Raises UserError, TransientError."""
    streams = registered_streams(registry)
    if len(streams) != 1:
        raise UserError(f"{len(streams)} streams are registered{': ' + ', '.join(streams) if streams else ''}; say which with --stream")
    return streams[0]


def _converted(answer: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, type=prepared(kind))
    except msgspec.ValidationError as exc:
        raise TransientError(f"the registry's answer is not understood: {exc}") from exc
