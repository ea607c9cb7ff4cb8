"""What the registry does when a training run has completed."""

from typing import Any

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.commands import PromoteVersion, RefuseRun, RegisterVersion
from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.topics import DECISIONS
from driftloop.contracts.values import PromotionRules, rule_digest
from driftloop.crashpoints import crash_point
from driftloop.ports import Clock, EventPublisher
from driftloop.registry.fold import Outcome, RegistryReader
from driftloop_registry.challengers import Challengers
from driftloop_registry.command_log import CommandLog
from driftloop_registry.project_settings import ProjectSettings
from driftloop_registry.recalibrations import Recalibrations
from driftloop_registry.stored_models import Store, problem_with_model

ACTOR = "driftloop/registry"


class TrainingRuns:
    """Handles ``training-runs``; every step has an id that comes from the request, so a repeat does nothing twice."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, events: EventPublisher, store: Store, clock: Clock) -> None:
        self._commands, self._reader, self._events, self._store, self._clock = commands, reader, events, store, clock
        self._recalibrations = Recalibrations(commands, reader, clock)
        self._challengers = Challengers(commands, reader, ProjectSettings(store), clock)

    def on_training_completed(self, event: TrainingCompleted, about: Envelope) -> None:
        outcome = self._registered(event)
        registered = outcome.accepted
        crash_point("registry.after-register")
        if registered:
            outcome = self._promoted(event)
            self._challengers.challenge(event, outcome, ACTOR)
        crash_point("registry.after-promote")
        recalibrated = self._recalibrations.decided(event, outcome, ACTOR, _reason(event)) if registered else None
        crash_point("registry.after-recalibrate")
        self._events.publish(
            DECISIONS,
            self._decision(event, outcome),
            key=event.model,
            id=caused_id("decision", "promote", event.request_id),
        )
        if recalibrated is not None:
            decision_id = caused_id("decision", "recalibrate", event.request_id)
            self._events.publish(DECISIONS, recalibrated, key=event.model, id=decision_id)
        self._count(event, outcome)
        crash_point("registry.after-decision")

    def _count(self, event: TrainingCompleted, outcome: Outcome) -> None:
        model = self._reader.state().model(event.model)
        project = model.project if model is not None else None
        found = event.measurements
        verdict = "refused"
        if outcome.accepted:
            verdict = "accepted"
        elif found is None or (project is not None and found.rows < project.promotion.min_rows):
            verdict = "not-measured"
        metrics.GATE.labels(metrics.OTHER if project is None else event.model, verdict).inc()

    def _registered(self, event: TrainingCompleted) -> Outcome:
        """The first verdict on a request stands, whatever has become of its objects since."""
        model = self._reader.state().model(event.model)
        if model is None or model.project is None:  # nobody has asked for it, and whoever says so shall not fill the log
            return Outcome(accepted=False, reason=f"no project is registered for model {event.model!r}")
        version, ruled_out = model.by_request(event.request_id), model.refused_runs.get(event.request_id)
        if version is not None:
            return Outcome(accepted=True, reason=f"version {version.version}", version=version.version)
        if ruled_out is not None:
            return Outcome(accepted=False, reason=ruled_out.problem)
        problem = problem_with_model(self._store, event.model, event.request_id, event.manifest)
        outcome = self._commands.append(self._registration(event) if problem is None else self._refusal(event, problem))
        if outcome.accepted or self._reader.state().models[event.model].by_request(event.request_id) is None:
            return outcome
        return self._registered(event)  # another registry has found its objects to be right, and was faster

    def _registration(self, event: TrainingCompleted) -> RegisterVersion:
        return RegisterVersion(
            command_id=caused_id("register", event.request_id),
            at=self._clock.now(),
            actor=ACTOR,
            reason=_reason(event),
            model=event.model,
            request_id=event.request_id,
            manifest=event.manifest,
            pins=event.pins,
        )

    def _refusal(self, event: TrainingCompleted, problem: str) -> RefuseRun:
        return RefuseRun(
            command_id=caused_id("register", event.request_id),
            at=self._clock.now(),
            actor=ACTOR,
            reason=_reason(event),
            model=event.model,
            request_id=event.request_id,
            manifest=event.manifest,
            problem=problem,
        )

    def _promoted(self, event: TrainingCompleted) -> Outcome:
        command_id = caused_id("promote", event.request_id)
        state = self._reader.state()
        version = state.models[event.model].by_request(event.request_id)
        if version is not None and version.manifest != event.manifest:  # a second trainer's: its measurements are of another file
            reason = f"request {event.request_id} gave version {version.version} with another manifest"
            return state.outcome(command_id) or Outcome(accepted=False, reason=reason, version=version.version)
        return self._commands.append(
            PromoteVersion(
                command_id=command_id,
                at=self._clock.now(),
                actor=ACTOR,
                reason=_reason(event),
                model=event.model,
                request_id=event.request_id,
                expected_epoch=event.pins.champion_epoch,
                measurements=event.measurements,
            )
        )

    def _decision(self, event: TrainingCompleted, outcome: Outcome) -> DecisionMade:
        model = self._reader.state().model(event.model)
        version = model.by_request(event.request_id) if model else None
        evidence: dict[str, Any] = {
            "measurements": event.measurements,
            "outcome": outcome,
            "version": version.version if version else None,
            "manifest": event.manifest,
            "recipe": event.recipe,
            "expected_epoch": event.pins.champion_epoch,
        }
        return DecisionMade(
            model=event.model,
            kind="promote",
            accepted=outcome.accepted,
            reason=outcome.reason,
            window=event.measurements.window if event.measurements else event.pins.evaluation_window,
            rule=rule_digest(model.project.promotion if model and model.project else PromotionRules()),
            evidence=msgspec.to_builtins(evidence),
            request_id=event.request_id,
        )


def _reason(event: TrainingCompleted) -> str:
    return f"training run of request {event.request_id} completed"
