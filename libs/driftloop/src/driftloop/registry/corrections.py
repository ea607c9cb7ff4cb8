"""How the champion's answers come to be corrected between promotions: by the gate, or by a person's decision."""

import msgspec

from driftloop.contracts.class_probabilities import MAX_NAMES_BYTES
from driftloop.contracts.commands import Recalibrate
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.values import PromotionRules
from driftloop.registry.outcomes import MAX_ID_LENGTH, Change, refused
from driftloop.registry.recalibration import accept
from driftloop.registry.state import ModelState, Outcome, RecalibrationRecord
from driftloop.statistics.recalibration import wrong


def recalibrate(model: ModelState, rules: PromotionRules, command: Recalibrate) -> Change:
    """Put a correction of the champion's answers in force, or end the one that is.

    A run's proposal needs the gate's yes, and is refused where the project asks for a person: what is answered is as much that
    person's to decide as who answers. Such a person puts the numbers in force, which the decision on the run shows.
    """
    epoch = model.recalibration_epoch
    problem = _moved_since(model, command) or _impossible(model, command)
    if problem is not None:
        return refused(problem, command.version, epoch)
    reason = command.reason
    if command.proposal is not None:
        problem = _not_the_runs(model, command, command.proposal)
        if problem is not None:
            return refused(problem, command.version, epoch)
        verdict = accept(command.proposal, rules)
        if not verdict.accepted:
            return refused(verdict.reason, command.version, epoch)
        if rules.approval == "person":
            ask = "the project asks for a person, who may put these numbers in force"
            return refused(f"{ask}: {verdict.reason}", command.version, epoch)
        reason = verdict.reason
    if command.recalibration == model.recalibration_in_force:
        what = "no correction is" if command.recalibration is None else "the same correction is"
        return Change(Outcome(accepted=True, reason=f"{what} in force already", version=command.version, epoch=epoch))
    return _in_force(model, command, reason)


def _in_force(model: ModelState, command: Recalibrate, reason: str) -> Change:
    before = model.recalibration
    record = RecalibrationRecord(
        epoch=model.recalibration_epoch + 1,
        version=command.version,
        champion_epoch=command.champion_epoch,
        recalibration=command.recalibration,
        since=max(before.since, command.at) if before is not None else command.at,  # callers' clocks differ
        by=command.actor,
        reason=reason,
        request_id=command.request_id,
    )
    after = msgspec.structs.replace(model, recalibrations=model.recalibrations.added(record.epoch, record))
    outcome = Outcome(accepted=True, reason=reason, version=command.version, epoch=record.epoch)
    return Change(outcome, after, recalibrated=record)


def _moved_since(model: ModelState, command: Recalibrate) -> str | None:
    champion = model.champion
    if champion is None:
        return "there is no champion whose answers could be corrected"
    if champion.served_elsewhere:
        return f"the answers of version {champion.version} are another system's, and cannot be corrected here"
    if (command.version, command.champion_epoch) != (champion.version, model.champion_epoch):
        now = f"version {champion.version} at epoch {model.champion_epoch}"
        return f"the champion has moved since: {now}, expected version {command.version} at epoch {command.champion_epoch}"
    if command.expected_epoch != model.recalibration_epoch:
        return f"the recalibration has changed since: epoch {model.recalibration_epoch}, expected {command.expected_epoch}"
    return None


def _impossible(model: ModelState, command: Recalibrate) -> str | None:
    """What stands against the numbers, whoever gives them."""
    if command.request_id is not None and not 0 < len(command.request_id) <= MAX_ID_LENGTH:
        return f"a request id has 1 to {MAX_ID_LENGTH} characters"
    return None if command.recalibration is None else _unfit(model, command.recalibration)


def _unfit(model: ModelState, recalibration: Recalibration) -> str | None:
    schema = model.project.stream_schema if model.project is not None else None
    if schema is None:
        return "an earlier release registered the project, without what its stream predicts: register it again"
    problem = wrong(recalibration, schema.target.task)
    size = sum(len(name.encode("utf-8", "surrogatepass")) for name in recalibration.classes or ())
    if problem is None and size > MAX_NAMES_BYTES:
        problem = f"names of classes of {size} bytes; at most {MAX_NAMES_BYTES}"
    return None if problem is None else f"the correction cannot be: {problem}"


def _not_the_runs(model: ModelState, command: Recalibrate, proposal: RecalibrationProposal) -> str | None:
    """A proposal is about one version's answers and one correction of them, and of a run that the registry knows."""
    version = model.by_request(command.request_id) if command.request_id is not None else None
    if version is None:
        return "the proposal is of no run that has become a version"
    if proposal.of == "candidate" and version.version != command.version:
        return f"the proposal is about version {version.version}, and not about version {command.version}"
    if version.pins is None:
        return f"version {version.version} is served elsewhere, and no run of ours proposes anything for it"
    measured = (version.pins.champion_version, version.pins.champion_epoch)
    if proposal.of == "champion" and measured != (command.version, command.champion_epoch):
        return f"version {version.version} was measured while version {measured[0]} was champion at epoch {measured[1]}"
    if proposal.recalibration != command.recalibration:
        return "the proposal is about another correction"
    return _unfit(model, proposal.full)
