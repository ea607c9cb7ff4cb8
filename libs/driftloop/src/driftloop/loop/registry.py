"""The registry as a fold over ``registry-log``: every reader folds the same commands to the same state.

The log holds wishes; only what the fold accepts is a fact. No clock, no client: a state is replaced, never changed.
"""

from typing import NamedTuple, Protocol

import msgspec

from driftloop.contracts.commands import Command, MoveAlias, PromoteVersion, RegisterProject, RegisterVersion
from driftloop.contracts.names import is_digest, is_name
from driftloop.contracts.parts import PromotionRules
from driftloop.loop.gate import judge
from driftloop.loop.registry_state import (
    CHALLENGER,
    CHAMPION,
    Alias,
    LogEntry,
    ModelState,
    ModelVersion,
    Outcome,
    ProjectRef,
    RegistryState,
)

MAX_ID_LENGTH = 256  # of command and request ids: every one is kept for ever


class RegistryReader(Protocol):
    """The registry as this process knows it."""

    def state(self) -> RegistryState:
        """The newest state folded here; it may lag behind the log. Cheap, from any thread."""

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        """The state once the record at ``offset`` is folded. Raises TransientError when that takes too long."""


class _Change(NamedTuple):
    """What one command does: its outcome, the model as it is from now on (None: unchanged), the alias that moved."""

    outcome: Outcome
    model: ModelState | None = None
    alias: str | None = None
    moved: Alias | None = None


def fold(state: RegistryState, command: Command, offset: int) -> tuple[RegistryState, Outcome]:
    """The state after the record at ``offset``, and the outcome of its command.

    A command id that was folded before gets its first outcome and changes nothing else. A record below
    ``state.next_offset`` was folded before: the state stays as it is. Records that hold no readable command are passed over
    with ``RegistryState.skip``.
    """
    known = state.entries.get(command.command_id)
    if known is not None:
        return state.skip(offset), known.outcome
    if offset < state.next_offset:
        raise ValueError(f"offset {offset} was folded before, but not as command {command.command_id!r}")
    change = _decide(state, command)
    name = str(getattr(command, "model", ""))
    entry = LogEntry(
        offset=offset,
        command_id=command.command_id,
        type=command.TYPE,
        model=name,
        at=command.at,
        actor=command.actor,
        reason=command.reason,
        outcome=change.outcome,
        alias=change.alias,
        moved=change.moved,
    )
    models = state.models
    model = change.model or models.get(name)
    if model is not None:
        model = msgspec.structs.replace(model, history=model.history.added(entry.command_id, entry))
        models = {**models, name: model}
    return RegistryState(models=models, next_offset=offset + 1, entries=state.entries.added(entry.command_id, entry)), change.outcome


def _decide(state: RegistryState, command: Command) -> _Change:
    if not 0 < len(command.command_id) <= MAX_ID_LENGTH:
        return _refused(f"a command id has 1 to {MAX_ID_LENGTH} characters")
    match command:
        case RegisterProject():
            return _register_project(state.models.get(command.model), command)
        case RegisterVersion() | PromoteVersion() | MoveAlias():
            model = state.models.get(command.model)
            if model is None or model.project is None:
                return _refused(f"no project is registered for model {command.model!r}")
            return _on_model(model, model.project.promotion, command)
    return _refused(f"unknown command {command.TYPE}")


def _on_model(model: ModelState, rules: PromotionRules, command: RegisterVersion | PromoteVersion | MoveAlias) -> _Change:
    match command:
        case RegisterVersion():
            return _register_version(model, command)
        case PromoteVersion():
            return _promote(model, rules, command)
        case MoveAlias():
            return _move_alias(model, command)


def _register_project(model: ModelState | None, command: RegisterProject) -> _Change:
    names = {"project": command.project, "stream": command.stream, "model": command.model}
    for field, value in names.items():
        if not is_name(value):
            return _refused(f"{field}: {value[:80]!r} is not a name")
    if not (is_digest(command.archive) and is_digest(command.schema_fingerprint)):
        return _refused("archive and schema_fingerprint must be sha256 digests")
    ref = ProjectRef(
        project=command.project,
        stream=command.stream,
        model=command.model,
        archive=command.archive,
        schema_fingerprint=command.schema_fingerprint,
        promotion=command.promotion,
    )
    if model is not None and model.project == ref:
        return _Change(Outcome(accepted=True, reason="this archive is registered already"))
    before = model or ModelState(model=command.model)
    return _Change(Outcome(accepted=True, reason="registered"), msgspec.structs.replace(before, project=ref))


def _register_version(model: ModelState, command: RegisterVersion) -> _Change:
    if not is_digest(command.manifest):
        return _refused("manifest must be a sha256 digest")
    if not 0 < len(command.request_id) <= MAX_ID_LENGTH:
        return _refused(f"a request id has 1 to {MAX_ID_LENGTH} characters")
    known = model.by_request(command.request_id)
    if known is not None and known.manifest == command.manifest:
        return _Change(Outcome(accepted=True, reason=f"version {known.version} already", version=known.version))
    if known is not None:
        reason = f"request {command.request_id} gave version {known.version} with another manifest"
        return _refused(reason, version=known.version)
    version = ModelVersion(
        model=model.model,
        version=len(model.versions) + 1,
        request_id=command.request_id,
        manifest=command.manifest,
        pins=command.pins,
        registered_at=command.at,
    )
    after = msgspec.structs.replace(
        model, versions=(*model.versions, version), requests=model.requests.added(version.request_id, version.version)
    )
    return _Change(Outcome(accepted=True, reason=f"version {version.version}", version=version.version), after)


def _promote(model: ModelState, rules: PromotionRules, command: PromoteVersion) -> _Change:
    epoch, champion = model.champion_epoch, model.champion
    candidate = model.by_request(command.request_id)
    if candidate is None:
        return _refused(f"request {command.request_id[:MAX_ID_LENGTH]!r} has no version", epoch=epoch, alias=CHAMPION)
    number = candidate.version
    if command.expected_epoch != epoch:
        reason = f"the champion has moved since: epoch {epoch}, expected {command.expected_epoch}"
        return _refused(reason, number, epoch, CHAMPION)
    measured, reason = command.measurements, "the model's first version"
    if measured is not None and (champion is None or measured.champion_version != champion.version):
        now = f"version {champion.version}" if champion else "none"
        reason = f"measured against version {measured.champion_version}, but the champion is {now}"
        return _refused(reason, number, epoch, CHAMPION)
    if champion is not None:
        verdict = judge(measured, rules)
        if not verdict.accepted:
            return _refused(verdict.reason, number, epoch, CHAMPION)
        reason = verdict.reason
    if rules.approval == "person":
        return _refused(f"waiting for approval by a person: {reason}", number, epoch, CHAMPION)
    return _moved(model, CHAMPION, number, command, reason)


def _move_alias(model: ModelState, command: MoveAlias) -> _Change:
    if not is_name(command.alias):
        return _refused(f"alias: {command.alias[:80]!r} is not a name")
    epoch = model.epoch(command.alias)
    if model.version(command.version) is None:
        return _refused(f"there is no version {command.version}", epoch=epoch, alias=command.alias)
    if command.expected_epoch != epoch:
        reason = f"the {command.alias} has moved since: epoch {epoch}, expected {command.expected_epoch}"
        return _refused(reason, command.version, epoch, command.alias)
    return _moved(model, command.alias, command.version, command, f"moved to version {command.version}")


def _moved(model: ModelState, name: str, version: int, command: Command, reason: str) -> _Change:
    before = model.aliases.get(name)
    since = max(before.since, command.at) if before else command.at  # callers' clocks differ
    alias = Alias(name=name, version=version, epoch=model.epoch(name) + 1, since=since)
    after = msgspec.structs.replace(model, aliases={**model.aliases, name: alias})
    return _Change(Outcome(accepted=True, reason=reason, version=version, epoch=alias.epoch), after, name, alias)


def _refused(reason: str, version: int | None = None, epoch: int | None = None, alias: str | None = None) -> _Change:
    return _Change(Outcome(accepted=False, reason=reason, version=version, epoch=epoch), alias=alias)


__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "Alias",
    "LogEntry",
    "ModelState",
    "ModelVersion",
    "Outcome",
    "ProjectRef",
    "RegistryReader",
    "RegistryState",
    "fold",
]
