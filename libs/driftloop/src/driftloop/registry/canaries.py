"""How a canary begins, goes on and ends in the fold: each time one record, with who or what decided. Why so: ADR 0027."""

import msgspec

from driftloop.contracts.canary import KEPT_WINDOWS, CanaryState, CanaryWindow
from driftloop.contracts.canary_steps import share_of, share_text
from driftloop.contracts.commands import Command, MoveCanary
from driftloop.contracts.values import PromotionRules
from driftloop.registry.canary_rule import verdict
from driftloop.registry.outcomes import Change, moved, refused, was
from driftloop.registry.records import CanaryRecord
from driftloop.registry.state import CHAMPION, ModelState, Outcome


def move_canary(model: ModelState, rules: PromotionRules, command: MoveCanary) -> Change:
    """By a person's wish, or, of ``judge``, by what was measured: the verdict is the fold's."""
    epoch, now = model.canary_epoch, model.canary
    problem = _moved_since(model, command)
    if problem is not None:
        return refused(problem, command.version, epoch)
    if command.move == "begin":
        return _begun(model, rules, command)
    if now is None or now.version != command.version:
        return refused(f"version {command.version} is no canary", command.version, epoch)
    if command.move == "end":
        return _ended(model, now, command, "stopped", command.reason)
    if command.move == "next":
        return _next(model, now, command, command.reason)
    found = verdict(now, rules, command)
    if found.step == "back":
        return _ended(model, now, command, "stepped-back", found.reason, command.windows)
    if found.step == "stay":
        return refused(found.reason, command.version, epoch)
    return _next(model, now, command, found.reason, command.windows)


def made_champion(model: ModelState, rules: PromotionRules, version: int, command: Command, reason: str) -> Change:
    """What the gate's or a person's yes leads to: champion at once, or, where the project declares steps, the first of them."""
    champion = model.champion
    if rules.canary is msgspec.UNSET or champion is None or champion.served_elsewhere:
        return moved(model, CHAMPION, version, command, reason)
    now = model.canary
    if now is not None and now.version != version:
        return refused(f"{now.words()} comes first, one at a time; of this version: {reason}", version, model.champion_epoch, CHAMPION)
    if now is not None:
        return Change(Outcome(accepted=False, waiting=True, reason=f"{now.words()} already", version=version, epoch=model.champion_epoch))
    change = _step(model, rules.canary, 1, version, command, "begun", reason)
    share = share_text(share_of(rules.canary[0]))
    outcome = Outcome(
        accepted=False, waiting=True, reason=f"canary begins at {share}: {reason}", version=version, epoch=model.champion_epoch
    )
    return change._replace(outcome=outcome, alias=CHAMPION)


def _begun(model: ModelState, rules: PromotionRules, command: MoveCanary) -> Change:
    number, epoch = command.version, model.canary_epoch
    version, champion, now = model.version(number), model.champion, model.canary
    if version is None:
        return refused(f"there is no version {number}", number, epoch)
    if model.state_of(number) == "deleted":
        return refused(was(model.standings[number]), number, epoch)
    if rules.canary is msgspec.UNSET:
        return refused('the project declares no steps: write canary = ["1 %", "10 %", "50 %"] below [promotion]', number, epoch)
    if champion is None or champion.served_elsewhere or version.served_elsewhere:
        return refused("a canary answers beside a champion of ours, with a version of ours", number, epoch)
    if champion.version == number:
        return refused(f"version {number} is champion itself", number, epoch)
    if now is not None:
        return refused(f"{now.words()} is under way: end it first, with --stop", number, epoch)
    return _step(model, rules.canary, 1, number, command, "begun", command.reason)


def _next(model: ModelState, now: CanaryRecord, command: MoveCanary, reason: str, windows: tuple[CanaryWindow, ...] = ()) -> Change:
    if now.step < len(now.steps):
        return _step(model, now.steps, now.step + 1, now.version, command, "next", reason, windows)
    change = moved(model, CHAMPION, now.version, command, reason)
    after = change.model or model
    ended = _ended(after, now, command, "completed", reason, windows)
    return ended._replace(outcome=change.outcome, alias=change.alias, moved=change.moved)


def _ended(
    model: ModelState, now: CanaryRecord, command: Command, state: CanaryState, reason: str, windows: tuple[CanaryWindow, ...] = ()
) -> Change:
    return _step(model, now.steps, 0, now.version, command, state, reason, windows)


def _step(
    model: ModelState,
    steps: tuple[str, ...],
    step: int,
    version: int,
    command: Command,
    state: CanaryState,
    reason: str,
    windows: tuple[CanaryWindow, ...] = (),
) -> Change:
    before = model.last_canary
    record = CanaryRecord(
        epoch=model.canary_epoch + 1,
        version=version,
        champion_epoch=model.champion_epoch,
        step=step,
        steps=steps,
        share=0 if step == 0 else share_of(steps[step - 1]),
        state=state,
        began=before.began if before is not None and state != "begun" else model.canary_epoch + 1,
        since=command.at if before is None else max(before.since, command.at),  # callers' clocks differ
        by=command.actor,
        reason=reason,
        windows=windows[-KEPT_WINDOWS:],
    )
    after = msgspec.structs.replace(model, canaries=model.canaries.added(record.epoch, record))
    return Change(Outcome(accepted=True, reason=reason, version=version, epoch=record.epoch), after, canary=record)


def _moved_since(model: ModelState, command: MoveCanary) -> str | None:
    if command.champion_epoch != model.champion_epoch:
        return f"the champion has moved since: epoch {model.champion_epoch}, expected {command.champion_epoch}"
    if command.expected_epoch != model.canary_epoch:
        return f"the canary has moved since: epoch {model.canary_epoch}, expected {command.expected_epoch}"
    return None
