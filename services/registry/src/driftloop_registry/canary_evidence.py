"""What a canary's answers came to beside the champion's, put to the fold: on, back, or not yet; a decision on record in any case."""

import msgspec

from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.commands import MoveCanary
from driftloop.contracts.events import CanaryMeasured, DecisionMade
from driftloop.contracts.topics import DECISIONS
from driftloop.contracts.values import rule_digest
from driftloop.ports import Clock, EventPublisher
from driftloop.registry.fold import RegistryReader
from driftloop.telemetry import get_logger
from driftloop_registry.command_log import CommandLog
from driftloop_registry.shadow_evidence import ACTOR

log = get_logger(__name__)


class CanaryEvidence:
    """Handles ``CanaryMeasured``: one question for each window, under an id of its own, so a repeat does nothing twice."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, events: EventPublisher, clock: Clock) -> None:
        self._commands, self._reader, self._events, self._clock = commands, reader, events, clock

    def on_canary_measured(self, event: CanaryMeasured, about: Envelope) -> None:
        """Raises TransientError. What is told of a canary that has ended leaves nothing to decide."""
        state, window = self._reader.state(), event.window
        model = state.model(event.model)
        if model is None or model.project is None:
            return
        cause = event.model, event.version, event.epoch, window.start, window.end
        command_id = caused_id("judge-canary", *cause)
        outcome, now = state.outcome(command_id), model.canary
        if outcome is None:
            if now is None or now.version != event.version or not now.began <= event.epoch <= now.epoch:
                return
            outcome = self._commands.append(
                MoveCanary(
                    command_id=command_id,
                    at=self._clock.now(),
                    actor=ACTOR,
                    reason=f"measured beside version {model.champion.version if model.champion else None}",
                    model=event.model,
                    version=event.version,
                    move="judge",
                    champion_epoch=model.champion_epoch,
                    expected_epoch=now.epoch,
                    windows=event.windows,
                    alpha=event.alpha,
                    tolerance=event.tolerance,
                )
            )
            log.info("canary-judged", model=event.model, version=event.version, accepted=outcome.accepted, reason=outcome.reason)
        version = model.version(event.version)
        decision = DecisionMade(
            model=event.model,
            kind="promote",
            accepted=outcome.accepted,
            reason=outcome.reason,
            window=window,
            rule=rule_digest(model.project.promotion),
            evidence=msgspec.to_builtins({"by": "canary", "version": event.version, "outcome": outcome, "windows": event.windows}),
            request_id=version.request_id if version is not None else None,
        )
        self._events.publish(DECISIONS, decision, key=event.model, id=caused_id("decision", "judge-canary", *cause))
