"""What the registry knows: values that the fold in ``registry`` makes, and nobody changes."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

from driftloop.contracts.names import Digest, Name
from driftloop.contracts.parts import ModelName, Part, PromotionRules, StreamName, Time, TrainingPins
from driftloop.loop.layers import Layers

CHAMPION = "champion"
CHALLENGER = "challenger"


class Outcome(Part, frozen=True, kw_only=True):
    """What the fold answered to a command. ``epoch``: of the alias in question after the command, moved or not."""

    accepted: bool
    reason: str
    version: int | None = None
    epoch: int | None = None


class ModelVersion(Part, frozen=True, kw_only=True):
    """One trained model: the manifest that names its bytes, and the pins that it can be rebuilt from."""

    model: ModelName
    version: int
    request_id: str
    manifest: Digest
    pins: TrainingPins
    registered_at: Time


class Alias(Part, frozen=True, kw_only=True):
    """A name for a version. ``epoch`` counts its moves from 1; ``since`` never goes back from one epoch to the next."""

    name: Name
    version: int
    epoch: int
    since: Time


class ProjectRef(Part, frozen=True, kw_only=True):
    """The current archive of a model's project."""

    project: Name
    stream: StreamName
    model: ModelName
    archive: Digest
    schema_fingerprint: Digest
    promotion: PromotionRules


class LogEntry(Part, frozen=True, kw_only=True):
    """A command with its outcome, as history shows it. ``alias`` and ``moved`` are null for commands that move none."""

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


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its project, its versions 1, 2, 3 … without a gap, its aliases, and every command about it."""

    model: str
    project: ProjectRef | None = None
    versions: tuple[ModelVersion, ...] = ()
    aliases: dict[str, Alias] = {}
    requests: Layers[int] = Layers()
    history: Layers[LogEntry] = Layers()

    @property
    def champion(self) -> ModelVersion | None:
        alias = self.aliases.get(CHAMPION)
        return self.version(alias.version) if alias else None

    @property
    def champion_epoch(self) -> int:
        """0: there never was one."""
        return self.epoch(CHAMPION)

    def epoch(self, alias: str) -> int:
        """0: the alias was never set."""
        return self.aliases[alias].epoch if alias in self.aliases else 0

    def version(self, number: int) -> ModelVersion | None:
        return self.versions[number - 1] if 1 <= number <= len(self.versions) else None

    def by_request(self, request_id: str) -> ModelVersion | None:
        number = self.requests.get(request_id)
        return self.version(number) if number is not None else None

    def alias_at(self, alias: str, time: datetime) -> Alias | None:
        """Where an alias pointed at a moment; None before it was first set."""
        for entry in self.history.newest():
            if entry.alias == alias and entry.moved is not None and entry.moved.since <= time:
                return entry.moved
        return None


class RegistryState(msgspec.Struct, frozen=True, kw_only=True):
    """The registry after all records below ``next_offset`` of its log. ``entries`` are by command id, in log order."""

    models: dict[str, ModelState] = {}
    next_offset: int = 0
    entries: Layers[LogEntry] = Layers()

    def model(self, name: str) -> ModelState | None:
        return self.models.get(name)

    def outcome(self, command_id: str) -> Outcome | None:
        """None: no such command below ``next_offset``."""
        entry = self.entries.get(command_id)
        return entry.outcome if entry else None

    def skip(self, offset: int) -> "RegistryState":
        """The state after a record that holds no readable command, or one that was folded before."""
        return self if offset < self.next_offset else msgspec.structs.replace(self, next_offset=offset + 1)

    def digest(self) -> str:
        """sha256 of all content, hex. Equal states have equal digests, whatever they were made from."""
        models = self.models.values()
        return content_digest(
            projects=[model.project for model in models if model.project is not None],
            versions=[version for model in models for version in model.versions],
            aliases=[(model.model, alias) for model in models for alias in model.aliases.values()],
            entries=self.entries.values(),
            next_offset=self.next_offset,
        )


def content_digest(
    *,
    projects: Iterable[ProjectRef],
    versions: Iterable[ModelVersion],
    aliases: Iterable[tuple[str, Alias]],
    entries: Iterable[LogEntry],
    next_offset: int,
) -> str:
    """The digest of a state in parts, in any order: ``RegistryState.digest`` and the view on disk give the same."""
    content = {
        "projects": {project.model: project for project in projects},
        "versions": {f"{version.model}/{version.version}": version for version in versions},
        "aliases": {f"{model}/{alias.name}": alias for model, alias in aliases},
        "entries": {str(entry.offset): entry for entry in entries},
        "next_offset": next_offset,
    }
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
