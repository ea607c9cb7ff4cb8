"""What a challenger came to on rows that it had answered for before their labels were known, put to the gate."""

import msgspec

from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.commands import PromoteVersion
from driftloop.contracts.events import ChallengerMeasured, DecisionMade
from driftloop.contracts.topics import DECISIONS
from driftloop.contracts.values import PromotionRules, rule_digest
from driftloop.ports import Clock, EventPublisher
from driftloop.registry.fold import ModelState, ModelVersion, Outcome, RegistryReader
from driftloop_registry.command_log import CommandLog
from driftloop_registry.project_settings import ProjectSettings

ACTOR = "driftloop/registry"
UNMEASURED = ("max_segment_loss", "max_latency_ratio", "max_size_mib")  # guard rails that answers alone tell nothing of


class ShadowEvidence:
    """Handles ``ChallengerMeasured``, where ``[promotion] shadow_evidence`` says so. The fold's gate decides, as on a run: one
    question for each window, under an id of its own, so a repeat does nothing twice."""

    def __init__(
        self, commands: CommandLog, reader: RegistryReader, events: EventPublisher, settings: ProjectSettings, clock: Clock
    ) -> None:
        self._commands, self._reader, self._events, self._settings, self._clock = commands, reader, events, settings, clock

    def on_challenger_measured(self, event: ChallengerMeasured, about: Envelope) -> None:
        """Raises TransientError."""
        state, window = self._reader.state(), event.measurements.window
        model = state.model(event.model)
        version = None if model is None else model.version(event.version)
        if model is None or model.project is None or version is None:
            return
        cause = event.model, event.version, event.measurements.champion_version, window.start, window.end
        command_id = caused_id("promote-challenger", *cause)
        outcome = state.outcome(command_id)
        if outcome is None:
            project = self._settings.of(model.project) if _is_about_now(model, event) else None
            if project is None or not project.promotion.shadow_evidence:
                return
            outcome = _left_to_a_person(model.project.promotion, version) or self._asked(event, model, version, command_id)
        evidence = {"measurements": event.measurements, "outcome": outcome, "version": version.version, "manifest": version.manifest}
        decision = DecisionMade(
            model=event.model,
            kind="promote",
            accepted=outcome.accepted,
            reason=f"as challenger: {outcome.reason}",
            window=window,
            rule=rule_digest(model.project.promotion),
            evidence=msgspec.to_builtins({**evidence, "by": "shadow"}),
            request_id=version.request_id,
        )
        self._events.publish(DECISIONS, decision, key=event.model, id=caused_id("decision", "promote-challenger", *cause))

    def _asked(self, event: ChallengerMeasured, model: ModelState, version: ModelVersion, command_id: str) -> Outcome:
        return self._commands.append(
            PromoteVersion(
                command_id=command_id,
                at=self._clock.now(),
                actor=ACTOR,
                reason=f"answered beside version {event.measurements.champion_version}",
                model=event.model,
                request_id=version.request_id,
                expected_epoch=model.champion_epoch,
                measurements=event.measurements,
            )
        )


def _is_about_now(model: ModelState, event: ChallengerMeasured) -> bool:
    """Whether these two are challenger and champion still."""
    challenger, champion = model.challenger, model.champion
    now = (None if challenger is None else challenger.version, None if champion is None else champion.version)
    return now == (event.version, event.measurements.champion_version)


def _left_to_a_person(rules: PromotionRules, version: ModelVersion) -> Outcome | None:
    """What the gate may have refused the run for must not pass here for want of a measurement."""
    declared = [name for name in UNMEASURED if getattr(rules, name) is not msgspec.UNSET]
    if not declared:
        return None
    reason = f"its answers do not measure {', '.join(declared)}: a person may promote it"
    return Outcome(accepted=False, reason=reason, version=version.version)
