"""What the registry does with what a run proposes for the champion's answers: a record in the log, or none."""

import msgspec

from driftloop.contracts.codec import caused_id
from driftloop.contracts.commands import Recalibrate
from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.values import rule_digest
from driftloop.ports import Clock
from driftloop.registry.fold import ModelState, Outcome, RegistryReader
from driftloop_registry.command_log import CommandLog


class Recalibrations:
    """Asks the fold, under an id that comes from the request: a repeat does nothing twice."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, clock: Clock) -> None:
        self._commands, self._reader, self._clock = commands, reader, clock

    def decided(self, event: TrainingCompleted, promoted: Outcome, actor: str, reason: str) -> DecisionMade | None:
        """The decision on the run's proposal, with its command on the log. None: it left nothing to decide.

        ``promoted``: the first outcome of the run's promotion, so that a repeat takes up the same proposal: that for the version's
        own answers when it became champion, else that for the champion's that stayed.
        """
        state = self._reader.state()
        model, command_id = state.model(event.model), caused_id("recalibrate", event.request_id)
        proposal = _proposal(event, "candidate" if promoted.accepted else "champion")
        if model is None or model.project is None or proposal is None:
            return None
        served = _served(event, promoted)
        outcome = state.outcome(command_id)
        if outcome is None:
            if served is None or _changes_nothing(model, proposal):
                return None
            outcome = self._commands.append(
                Recalibrate(
                    command_id=command_id,
                    at=self._clock.now(),
                    actor=actor,
                    reason=reason,
                    model=event.model,
                    version=served[0],
                    champion_epoch=served[1],
                    expected_epoch=model.recalibration_epoch,
                    recalibration=proposal.recalibration,
                    proposal=proposal,
                    request_id=event.request_id,
                )
            )
        return DecisionMade(
            model=event.model,
            kind="recalibrate",
            accepted=outcome.accepted,
            reason=outcome.reason,
            window=proposal.window,
            rule=rule_digest(model.project.promotion),
            evidence=msgspec.to_builtins({"proposal": proposal, "outcome": outcome, "version": outcome.version}),
            request_id=event.request_id,
        )


def _proposal(event: TrainingCompleted, of: str) -> RecalibrationProposal | None:
    proposals = event.recalibrations or ()  # absent from events of earlier releases
    return next((proposal for proposal in proposals if proposal.of == of), None)


def _served(event: TrainingCompleted, promoted: Outcome) -> tuple[int, int] | None:
    """Version and champion's epoch of the answers that the proposal is about; None: nobody's."""
    if promoted.accepted:
        return (promoted.version, promoted.epoch) if promoted.version is not None and promoted.epoch is not None else None
    pins = event.pins
    return (pins.champion_version, pins.champion_epoch) if pins.champion_version is not None else None


def _changes_nothing(model: ModelState, proposal: RecalibrationProposal) -> bool:
    return proposal.recalibration == model.recalibration_in_force
