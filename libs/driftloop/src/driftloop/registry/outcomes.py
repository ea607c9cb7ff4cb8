"""What one command does to a model, and the ways in which commands end."""

from typing import NamedTuple

import msgspec

from driftloop.contracts.commands import Command
from driftloop.registry.state import CHAMPION, Alias, ApprovalStatus, CanaryRecord, ModelState, Outcome, RecalibrationRecord, VersionState

MAX_ID_LENGTH = 256  # of command and request ids: every one is kept for ever
MAX_ACTOR_LENGTH = 200
MAX_REASON_LENGTH = 2000


class Change(NamedTuple):
    """What one command does: its outcome, the model as it is from now on (None: unchanged), the alias that moved, the record
    of recalibration that it put in force, the canary's record that it made."""

    outcome: Outcome
    model: ModelState | None = None
    alias: str | None = None
    moved: Alias | None = None
    recalibrated: RecalibrationRecord | None = None
    canary: CanaryRecord | None = None


def moved(model: ModelState, name: str, version: int, command: Command, reason: str) -> Change:
    """The alias points at the version from now on. Becoming champion ends what people were asked or had said about it."""
    before = model.aliases.get(name)
    since = max(before.since, command.at) if before else command.at  # callers' clocks differ
    alias = Alias(name=name, version=version, epoch=model.epoch(name) + 1, since=since)
    standings = {n: s for n, s in model.standings.items() if n != version} if name == CHAMPION else model.standings
    after = msgspec.structs.replace(model, aliases=model.aliases.with_value(name, alias), standings=standings)
    return Change(Outcome(accepted=True, reason=reason, version=version, epoch=alias.epoch), after, name, alias)


def refused(reason: str, version: int | None = None, epoch: int | None = None, alias: str | None = None) -> Change:
    return Change(Outcome(accepted=False, reason=reason, version=version, epoch=epoch), alias=alias)


def closed(model: ModelState, version: int, state: VersionState, command: Command) -> ModelState:
    """The model after a person has ruled a version out."""
    standing = ApprovalStatus(model=model.model, version=version, state=state, since=command.at, by=command.actor, reason=command.reason)
    return model.with_standing(standing)


def was(standing: ApprovalStatus) -> str:
    return f"version {standing.version} was {standing.state} by {standing.by[:80]}"
