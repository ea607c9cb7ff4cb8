"""What the registry knows: states that the fold in ``registry`` makes, and nobody changes."""

from datetime import datetime

import msgspec

from driftloop.contracts.recalibration import Recalibration
from driftloop.registry.entries import Answers, Entries, forgotten
from driftloop.registry.persistent_map import PersistentMap, ReplacingMap
from driftloop.registry.records import (
    CHALLENGER,
    CHAMPION,
    DIGEST_VERSION,
    Alias,
    ApprovalStatus,
    CanaryRecord,
    LogEntry,
    ModelVersion,
    Outcome,
    ProjectRef,
    RecalibrationRecord,
    RefusedRun,
    VersionState,
    content_digest,
)


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its project, its versions 1, 2, 3 … without a gap, its aliases, and the commands about it: all that had an effect,
    and the newest of those that were refused.

    A deleted version is still among the versions; its standing says so.
    """

    model: str
    project: ProjectRef | None = None
    versions: tuple[ModelVersion, ...] = ()
    aliases: ReplacingMap[str, Alias] = ReplacingMap()
    standings: dict[int, ApprovalStatus] = {}  # by version
    requests: PersistentMap[str, int] = PersistentMap()
    refused_runs: PersistentMap[str, RefusedRun] = PersistentMap()  # by request
    history: Entries = Entries()
    recalibrations: PersistentMap[int, RecalibrationRecord] = PersistentMap()  # by epoch
    canaries: PersistentMap[int, CanaryRecord] = PersistentMap()  # by epoch; the history holds them, too, and the digest counts them there

    @property
    def champion(self) -> ModelVersion | None:
        alias = self.aliases.get(CHAMPION)
        return self.version(alias.version) if alias else None

    @property
    def champion_epoch(self) -> int:
        """0: there never was one."""
        return self.epoch(CHAMPION)

    @property
    def challenger(self) -> Alias | None:
        """Who answers for the same rows as the champion, beside it (``docs/shadow.md``). None: nobody.

        Nobody: the alias was never set, it points at the champion itself, which is how a person ends it, or the champion has moved
        since, which ends what was compared with the one before.
        """
        alias, champion = self.aliases.get(CHALLENGER), self.aliases.get(CHAMPION)
        if alias is None or champion is None or alias.version == champion.version:
            return None
        moves = (entry.alias for entry in self.history.answered.newest() if entry.moved is not None)
        return alias if next((name for name in moves if name in (CHAMPION, CHALLENGER)), None) == CHALLENGER else None

    def epoch(self, alias: str) -> int:
        """0: the alias was never set."""
        return self.aliases[alias].epoch if alias in self.aliases else 0

    @property
    def answered_elsewhere(self) -> bool:
        """Whether another system answers: the project says so, and no version of ours has been made champion since."""
        champion = self.champion
        declared = self.project is not None and self.project.served_by is not msgspec.UNSET
        return declared and (champion is None or champion.served_elsewhere)

    def newest_watched(self, served_as: str | None = None) -> ModelVersion | None:
        """The newest version that is served elsewhere, of all or of those that are called so there."""
        for version in reversed(self.versions):
            if version.watched is not msgspec.UNSET and served_as in (None, version.watched.served_as):
                return version
        return None

    def watched_versions(self) -> dict[str, int]:
        """Our numbers of versions that are served elsewhere, by what they are called there: each one's newest."""
        return {version.watched.served_as: version.version for version in self.versions if version.watched is not msgspec.UNSET}

    @property
    def recalibration(self) -> RecalibrationRecord | None:
        """The newest record, in force or not."""
        return next(self.recalibrations.newest(), None)

    @property
    def recalibration_epoch(self) -> int:
        """0: there never was one."""
        return len(self.recalibrations)

    @property
    def recalibration_in_force(self) -> Recalibration | None:
        """What is done to the champion's answers now. A move of the champion ends it, and moving back does not bring it back."""
        newest, champion = self.recalibration, self.aliases.get(CHAMPION)
        if newest is None or champion is None or (newest.version, newest.champion_epoch) != (champion.version, champion.epoch):
            return None
        return newest.recalibration

    @property
    def last_canary(self) -> CanaryRecord | None:
        """The newest record, in force or not."""
        return next(self.canaries.newest(), None)

    @property
    def canary_epoch(self) -> int:
        """0: there never was one."""
        return len(self.canaries)

    @property
    def canary(self) -> CanaryRecord | None:
        """Who answers a share of the entities instead of the champion. A move of the champion ends it, whoever moves it."""
        newest = self.last_canary
        in_force = newest is not None and newest.step > 0 and newest.champion_epoch == self.champion_epoch
        return newest if in_force else None

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
        for entry in self.history.answered.newest():
            if entry.alias == alias and entry.moved is not None and entry.moved.since <= time:
                return entry
        return None

    def before(self, alias: str) -> int | None:
        """The version to step back to: where the alias pointed before its present version first came.

        So steps back lead further back, and never to a version that somebody has stepped back from. None: there is none.
        """
        now = self.aliases.get(alias)
        earlier = None
        for entry in self.history.answered.values():
            if entry.alias == alias and entry.moved is not None and now is not None:
                if entry.moved.version == now.version:
                    break
                earlier = entry.moved.version
        return earlier


class RegistryState(msgspec.Struct, frozen=True, kw_only=True):
    """The registry after all records below ``next_offset`` of its log.

    What was refused costs 32 bytes each for ever, and its record only while it is among the newest.
    """

    models: dict[str, ModelState] = {}
    next_offset: int = 0
    answers: Answers = Answers()
    strays: Entries = Entries()  # commands about models that nobody has registered

    def model(self, name: str) -> ModelState | None:
        return self.models.get(name)

    def outcome(self, command_id: str) -> Outcome | None:
        """Of the first command with this id, whatever it asks for. None: no such command below ``next_offset``."""
        return self._outcome(self.answers.first(command_id))

    def outcome_of(self, command_id: str, asks: bytes) -> Outcome | None:
        """Of the command with this id that asks for this (see ``fold.asks``). None: no such command below ``next_offset``."""
        return self._outcome(self.answers.to(command_id, asks))

    def _outcome(self, found: LogEntry | int | None) -> Outcome | None:
        if not isinstance(found, int):
            return found.outcome if found else None
        known = (entries.at(found) for entries in (self.strays, *(model.history for model in self.models.values())))
        return next((entry.outcome for entry in known if entry is not None), forgotten(found))

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
            refused_runs=[run for model in models for run in model.refused_runs.values()],
            entries=[entry for entries in (self.strays, *(model.history for model in models)) for entry in entries.values()],
            refusals=self.answers.refused.chain,
            next_offset=self.next_offset,
            recalibrations=[(model.model, record) for model in models for record in model.recalibrations.values()],
        )


__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "DIGEST_VERSION",
    "Alias",
    "ApprovalStatus",
    "CanaryRecord",
    "LogEntry",
    "ModelState",
    "ModelVersion",
    "Outcome",
    "ProjectRef",
    "RecalibrationRecord",
    "RefusedRun",
    "RegistryState",
    "VersionState",
    "content_digest",
]
