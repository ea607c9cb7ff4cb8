"""What the registry does when a training run has completed."""

from typing import Any

import msgspec

from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.commands import PromoteVersion, RegisterVersion
from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.topics import DECISIONS
from driftloop.contracts.values import PromotionRules, rule_digest
from driftloop.crashpoints import crash_point
from driftloop.ports import Clock, EventPublisher, ObjectStore
from driftloop.registry.fold import Outcome, RegistryReader
from driftloop_registry.command_log import CommandLog
from driftloop_registry.stored_models import problem_with_model

ACTOR = "driftloop/registry"


class TrainingRuns:
    """Handles ``training-runs``; every step has an id that comes from the request, so a repeat does nothing twice."""

    def __init__(self, commands: CommandLog, reader: RegistryReader, events: EventPublisher, store: ObjectStore, clock: Clock) -> None:
        self._commands, self._reader, self._events, self._store, self._clock = commands, reader, events, store, clock

    def on_training_completed(self, event: TrainingCompleted, about: Envelope) -> None:
        outcome = self._registered(event)
        crash_point("registry.after-register")
        if outcome.accepted:
            outcome = self._promoted(event)
        crash_point("registry.after-promote")
        self._events.publish(
            DECISIONS,
            self._decision(event, outcome),
            key=event.model,
            id=caused_id("decision", "promote", event.request_id),
        )
        crash_point("registry.after-decision")

    def _registered(self, event: TrainingCompleted) -> Outcome:
        command_id = caused_id("register", event.request_id)
        if self._reader.state().outcome(command_id) is None:  # a repeat is answered even if the objects are gone by now
            problem = problem_with_model(self._store, event.model, event.request_id, event.manifest)
            if problem is not None:
                return Outcome(accepted=False, reason=problem)
        return self._commands.append(
            RegisterVersion(
                command_id=command_id,
                at=self._clock.now(),
                actor=ACTOR,
                reason=f"training run of request {event.request_id} completed",
                model=event.model,
                request_id=event.request_id,
                manifest=event.manifest,
                pins=event.pins,
            )
        )

    def _promoted(self, event: TrainingCompleted) -> Outcome:
        return self._commands.append(
            PromoteVersion(
                command_id=caused_id("promote", event.request_id),
                at=self._clock.now(),
                actor=ACTOR,
                reason=f"training run of request {event.request_id} completed",
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
