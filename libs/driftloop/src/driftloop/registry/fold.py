"""The registry as a fold over ``registry-log``: every reader folds the same commands to the same state.

The log holds wishes; only what the fold accepts is a fact. No clock, no client: a state is replaced, never changed.
"""

import hashlib
from typing import Protocol

import msgspec

from driftloop.contracts.canary_steps import problem_with_steps
from driftloop.contracts.commands import (
    ApproveVersion,
    Command,
    DeleteVersion,
    MoveAlias,
    MoveCanary,
    PromoteVersion,
    Recalibrate,
    RefuseRun,
    RegisterProject,
    RegisterVersion,
    RejectVersion,
    WatchVersion,
)
from driftloop.contracts.evolution import refusal
from driftloop.contracts.names import is_digest, is_name
from driftloop.contracts.values import PromotionRules
from driftloop.registry.canaries import move_canary
from driftloop.registry.corrections import recalibrate
from driftloop.registry.outcomes import MAX_ACTOR_LENGTH, MAX_ID_LENGTH, MAX_REASON_LENGTH, Change, refused
from driftloop.registry.promotion import approve, move_alias, promote, reject
from driftloop.registry.records import sharing
from driftloop.registry.state import (
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
from driftloop.registry.versions import delete_version, refuse_run, register_version
from driftloop.registry.watching import watch_version

OnModel = (
    RegisterVersion
    | WatchVersion
    | RefuseRun
    | PromoteVersion
    | MoveAlias
    | Recalibrate
    | MoveCanary
    | ApproveVersion
    | RejectVersion
    | DeleteVersion
)


class RegistryReader(Protocol):
    """The registry as this process knows it."""

    def state(self) -> RegistryState:
        """The newest state folded here; it may lag behind the log. Cheap, from any thread."""

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        """The state once the record at ``offset`` is folded. Raises TransientError when that takes too long."""

    def sync(self, timeout_seconds: float) -> RegistryState:
        """The state once all that the log holds at the time of the call is folded. Raises TransientError."""


def fold(state: RegistryState, command: Command, offset: int) -> tuple[RegistryState, Outcome]:
    """The state after the record at ``offset``, and the outcome of its command.

    A command that was folded before gets its first outcome and changes nothing else; one that asks for something else under a
    known id is another command. A record below ``state.next_offset`` was folded before: the state stays as it is. Records that
    hold no readable command are passed over with ``RegistryState.skip``.
    """
    wish = asks(command)
    known = state.outcome_of(command.command_id, wish)
    if known is not None:
        return state.skip(offset), known
    if offset < state.next_offset:
        raise ValueError(f"offset {offset} was folded before, but not as command {command.command_id!r}")
    command = _of_bounded_size(command)
    change = decide(state, command)
    entry = LogEntry(
        offset=offset,
        command_id=command.command_id,
        type=command.TYPE,
        model=_model_of(command),
        at=command.at,
        actor=command.actor,
        reason=command.reason,
        outcome=change.outcome,
        alias=change.alias,
        moved=change.moved,
        recalibrated=msgspec.UNSET if change.recalibrated is None else change.recalibrated,
        canary=msgspec.UNSET if change.canary is None else change.canary,
    )
    entry = sharing(entry)
    model = change.model or state.models.get(entry.model)
    models, strays = state.models, state.strays
    if model is None:
        strays = strays.added(entry)
    else:
        models = {**models, entry.model: msgspec.structs.replace(model, history=model.history.added(entry))}
    return RegistryState(models=models, next_offset=offset + 1, answers=state.answers.added(entry, wish), strays=strays), change.outcome


def asks(command: Command) -> bytes:
    """A digest of what a command asks for, whoever says it, when and why. Times of scoring are left out: a run that was made twice
    asks for the same promotion, and gets the first answer."""
    if isinstance(command, PromoteVersion) and command.measurements is not None:
        command = msgspec.structs.replace(command, measurements=command.measurements.without_cost())
    wish = [getattr(command, field) for field in command.__struct_fields__[len(Command.__struct_fields__) :]]
    wish = [value for value in wish if value is not msgspec.UNSET]  # what came later is not in the digests of before
    return hashlib.sha256(msgspec.json.encode((command.TYPE, wish))).digest()[:16]


def _of_bounded_size(command: Command) -> Command:
    """Callers of the registry are held to these lengths; whoever writes to the log without it is cut short."""
    if max(len(command.actor) - MAX_ACTOR_LENGTH, len(command.reason) - MAX_REASON_LENGTH, len(command.command_id) - MAX_ID_LENGTH) <= 0:
        return command
    return msgspec.structs.replace(
        command,
        actor=command.actor[:MAX_ACTOR_LENGTH],
        reason=command.reason[:MAX_REASON_LENGTH],
        command_id=command.command_id[: MAX_ID_LENGTH + 1],  # still too long
    )


def _model_of(command: Command) -> str:
    return str(getattr(command, "model", ""))


def decide(state: RegistryState, command: Command) -> Change:
    """What a command that is new to the state does to it; nothing is remembered of it yet."""
    if not 0 < len(command.command_id) <= MAX_ID_LENGTH:
        return refused(f"a command id has 1 to {MAX_ID_LENGTH} characters")
    match command:
        case RegisterProject():
            return _register_project(state, command)
        case (
            RegisterVersion()
            | WatchVersion()
            | RefuseRun()
            | PromoteVersion()
            | MoveAlias()
            | Recalibrate()
            | MoveCanary()
            | ApproveVersion()
            | RejectVersion()
            | DeleteVersion()
        ):
            model = state.models.get(command.model)
            if model is None or model.project is None:
                return refused(f"no project is registered for model {command.model[:MAX_ID_LENGTH]!r}")
            return _on_model(model, model.project.promotion, command)
    return refused(f"unknown command {command.TYPE}")


def _on_model(model: ModelState, rules: PromotionRules, command: OnModel) -> Change:
    match command:
        case RegisterVersion():
            return register_version(model, command)
        case WatchVersion():
            return watch_version(model, command)
        case RefuseRun():
            return refuse_run(model, command)
        case PromoteVersion():
            return promote(model, rules, command)
        case MoveAlias():
            return move_alias(model, command)
        case Recalibrate():
            return recalibrate(model, rules, command)
        case MoveCanary():
            return move_canary(model, rules, command)
        case ApproveVersion():
            return approve(model, rules, command)
        case RejectVersion():
            return reject(model, command)
        case DeleteVersion():
            return delete_version(model, command)


def _register_project(state: RegistryState, command: RegisterProject) -> Change:
    model = state.models.get(command.model)
    names = {"project": command.project, "stream": command.stream, "model": command.model}
    for field, value in names.items():
        if not is_name(value):
            return refused(f"{field}: {value[:80]!r} is not a name")
    if not (is_digest(command.archive) and is_digest(command.schema_fingerprint)):
        return refused("archive and schema_fingerprint must be sha256 digests")
    steps = command.promotion.canary
    problem = None if steps is msgspec.UNSET else problem_with_steps(steps)
    if problem is not None:
        return refused(f"promotion.canary: {problem}")
    ref = ProjectRef(
        project=command.project,
        stream=command.stream,
        model=command.model,
        archive=command.archive,
        schema_fingerprint=command.schema_fingerprint,
        promotion=command.promotion,
        stream_schema=command.stream_schema,
        served_by=command.served_by,
    )
    present = model.project if model is not None else None
    if present == ref:
        return Change(Outcome(accepted=True, reason="this archive is registered already"))
    if present is not None and present.stream_schema is not None and ref.stream_schema is not None:
        broken = refusal(present.stream_schema, ref.stream_schema)
        if broken is not None:
            return refused(broken)
    taken = _other_owner(state, present, ref)
    if taken is not None:
        return refused(taken)
    before = model or ModelState(model=command.model)
    return Change(Outcome(accepted=True, reason="registered"), msgspec.structs.replace(before, project=ref))


def _other_owner(state: RegistryState, present: ProjectRef | None, ref: ProjectRef) -> str | None:
    """A stream's predictions are of one model, and a model's versions are all made of one stream's data."""
    if present is not None and present.stream != ref.stream:
        return f"the versions of model {ref.model!r} are made of stream {present.stream!r}; a model of another stream needs another name"
    for other in state.models.values():
        if other.model != ref.model and other.project is not None and other.project.stream == ref.stream:
            return f"stream {ref.stream!r} has the model {other.model!r} already; give {ref.model!r} a stream of its own"
    return None


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
