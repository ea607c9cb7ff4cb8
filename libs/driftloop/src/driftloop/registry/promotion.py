"""How a version becomes champion: by the gate, by the person whom the gate asks, or by a person's own move of an alias."""

import msgspec

from driftloop.contracts.commands import ApproveVersion, MoveAlias, PromoteVersion, RejectVersion
from driftloop.contracts.names import is_name
from driftloop.contracts.values import PromotionRules
from driftloop.registry.canaries import made_champion
from driftloop.registry.gate import check
from driftloop.registry.outcomes import MAX_ID_LENGTH, Change, closed, moved, refused, was
from driftloop.registry.state import CHAMPION, ApprovalStatus, ModelState, Outcome


def promote(model: ModelState, rules: PromotionRules, command: PromoteVersion) -> Change:
    epoch, champion = model.champion_epoch, model.champion
    candidate = model.by_request(command.request_id)
    if candidate is None:
        return refused(f"request {command.request_id[:MAX_ID_LENGTH]!r} has no version", epoch=epoch, alias=CHAMPION)
    number = candidate.version
    if model.state_of(number) in ("rejected", "deleted"):
        return refused(was(model.standings[number]), number, epoch, CHAMPION)
    if command.expected_epoch != epoch:
        reason = f"the champion has moved since: epoch {epoch}, expected {command.expected_epoch}"
        return refused(reason, number, epoch, CHAMPION)
    measured, reason = command.measurements, "the model's first version"
    if measured is not None and (champion is None or measured.champion_version != champion.version):
        now = f"version {champion.version}" if champion else "none"
        reason = f"measured against version {measured.champion_version}, but the champion is {now}"
        return refused(reason, number, epoch, CHAMPION)
    if champion is not None:
        verdict = check(measured, rules)
        if not verdict.accepted:
            return refused(verdict.reason, number, epoch, CHAMPION)
        reason = verdict.reason
    if rules.approval == "person" or model.answered_elsewhere:  # who answers is then for people to say
        return _wait(model, number, command, reason)
    return made_champion(model, rules, number, command, reason)


def _wait(model: ModelState, number: int, command: PromoteVersion, reason: str) -> Change:
    epoch = model.champion_epoch
    standing = ApprovalStatus(
        model=model.model,
        version=number,
        state="waiting",
        since=command.at,
        by=command.actor,
        reason=reason,
        champion_version=model.champion.version if model.champion else None,
        champion_epoch=epoch,
    )
    outcome = Outcome(accepted=False, waiting=True, reason=f"waiting for approval by a person: {reason}", version=number, epoch=epoch)
    return Change(outcome, model.with_standing(standing), CHAMPION)


def approve(model: ModelState, rules: PromotionRules, command: ApproveVersion) -> Change:
    epoch, number = model.champion_epoch, command.version
    if model.state_of(number) != "waiting":
        return _not_waiting(model, number, CHAMPION)
    standing = model.standings[number]
    if standing.champion_epoch != epoch:
        reason = f"the champion has moved since version {number} was measured: epoch {epoch}, measured at {standing.champion_epoch}"
        return refused(reason, number, epoch, CHAMPION)
    change = made_champion(model, rules, number, command, f"approved: {standing.reason}")
    return _said_yes(change, number)


def _said_yes(change: Change, number: int) -> Change:
    """Of a canary that begins: a person's yes is done with, and nobody is asked again."""
    if change.canary is None or change.model is None:
        return change
    standings = {n: standing for n, standing in change.model.standings.items() if n != number}
    outcome = msgspec.structs.replace(change.outcome, accepted=True, waiting=False)
    return change._replace(outcome=outcome, model=msgspec.structs.replace(change.model, standings=standings))


def reject(model: ModelState, command: RejectVersion) -> Change:
    number = command.version
    if model.state_of(number) != "waiting":
        return _not_waiting(model, number, None)
    outcome = Outcome(accepted=True, reason=f"version {number} rejected", version=number)
    return Change(outcome, closed(model, number, "rejected", command))


def move_alias(model: ModelState, command: MoveAlias) -> Change:
    if not is_name(command.alias):
        return refused(f"alias: {command.alias[:80]!r} is not a name")
    epoch = model.epoch(command.alias)
    if model.version(command.version) is None:
        return refused(f"there is no version {command.version}", epoch=epoch, alias=command.alias)
    if model.state_of(command.version) == "deleted":
        return refused(was(model.standings[command.version]), command.version, epoch, command.alias)
    if command.expected_epoch != epoch:
        reason = f"the {command.alias} has moved since: epoch {epoch}, expected {command.expected_epoch}"
        return refused(reason, command.version, epoch, command.alias)
    return moved(model, command.alias, command.version, command, f"moved to version {command.version}")


def _not_waiting(model: ModelState, number: int, alias: str | None) -> Change:
    epoch = model.epoch(alias) if alias else None
    if model.version(number) is None:
        return refused(f"there is no version {number}", epoch=epoch, alias=alias)
    standing = model.standings.get(number)
    return refused(was(standing) if standing else f"version {number} is not waiting for approval", number, epoch, alias)
