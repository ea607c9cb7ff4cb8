"""What a command would come to, before it is written down: a call that is refused, or changes nothing, leaves no record."""

from driftloop.contracts.commands import Command, MoveAlias
from driftloop.registry.fold import asks, decide
from driftloop.registry.state import Outcome, RegistryState

MAX_ALIASES = 16  # of a model


def answer_without_record(state: RegistryState, command: Command) -> Outcome | None:
    """The outcome of a command that the log need not hold, because it was folded before, is refused by ``state``, or changes
    nothing in it. None: put it to the log, and let the fold decide.
    """
    known = state.outcome_of(command.command_id, asks(command))
    if known is not None:
        return known
    change = decide(state, command)
    if change.model is None:
        return change.outcome
    return _one_alias_too_many(state, command)


def _one_alias_too_many(state: RegistryState, command: Command) -> Outcome | None:
    """Asked of callers and not by the fold: a log of before this rule may hold more, and they stay."""
    model = state.model(command.model) if isinstance(command, MoveAlias) else None
    if not isinstance(command, MoveAlias) or model is None or command.alias in model.aliases or len(model.aliases) < MAX_ALIASES:
        return None
    return Outcome(
        accepted=False,
        reason=f"model {model.model} has {len(model.aliases)} aliases, and {MAX_ALIASES} are the most: move one that it has",
        epoch=0,
    )
