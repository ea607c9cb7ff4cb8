"""What the registry knows: states that the fold in ``registry`` makes, and nobody changes."""

from datetime import datetime

import msgspec

from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import (
    CHALLENGER,
    CHAMPION,
    Alias,
    ApprovalStatus,
    LogEntry,
    ModelVersion,
    Outcome,
    ProjectRef,
    VersionState,
    content_digest,
)


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its project, its versions 1, 2, 3 … without a gap, its aliases, and every command about it.

    A deleted version is still among the versions; its standing says so.
    """

    model: str
    project: ProjectRef | None = None
    versions: tuple[ModelVersion, ...] = ()
    aliases: dict[str, Alias] = {}
    standings: dict[int, ApprovalStatus] = {}  # by version
    requests: PersistentMap[int] = PersistentMap()
    history: PersistentMap[LogEntry] = PersistentMap()

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

    def state_of(self, number: int) -> VersionState | None:
        """None: nobody is asked about this version, and nobody has ruled it out."""
        standing = self.standings.get(number)
        return standing.state if standing else None

    def with_standing(self, standing: ApprovalStatus) -> "ModelState":
        return msgspec.structs.replace(self, standings={**self.standings, standing.version: standing})

    def alias_at(self, alias: str, time: datetime) -> Alias | None:
        """Where an alias pointed at a moment; None before it was first set."""
        entry = self.move_at(alias, time)
        return entry.moved if entry else None

    def move_at(self, alias: str, time: datetime) -> LogEntry | None:
        """The move that was in force at a moment: where the alias pointed, who moved it and why."""
        for entry in self.history.newest():
            if entry.alias == alias and entry.moved is not None and entry.moved.since <= time:
                return entry
        return None

    def before(self, alias: str) -> int | None:
        """The version to step back to: where the alias pointed before its present version first came.

        So steps back lead further back, and never to a version that somebody has stepped back from. None: there is none.
        """
        now = self.aliases.get(alias)
        earlier = None
        for entry in self.history.values():
            if entry.alias == alias and entry.moved is not None and now is not None:
                if entry.moved.version == now.version:
                    break
                earlier = entry.moved.version
        return earlier


class RegistryState(msgspec.Struct, frozen=True, kw_only=True):
    """The registry after all records below ``next_offset`` of its log. ``entries`` are by command id, in log order."""

    models: dict[str, ModelState] = {}
    next_offset: int = 0
    entries: PersistentMap[LogEntry] = PersistentMap()

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
            standings=[standing for model in models for standing in model.standings.values()],
            entries=self.entries.values(),
            next_offset=self.next_offset,
        )


__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "Alias",
    "ApprovalStatus",
    "LogEntry",
    "ModelState",
    "ModelVersion",
    "Outcome",
    "ProjectRef",
    "RegistryState",
    "VersionState",
    "content_digest",
]
