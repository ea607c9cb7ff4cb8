"""A canary over HTTP: begun, moved on and ended by a person. What the registry decides by itself: ``canary_evidence``."""

from fastapi import FastAPI, Response

from driftloop.contracts.commands import MoveCanary
from driftloop.ports import Clock
from driftloop_registry.command_ids import WRITE, Key, identity_of
from driftloop_registry.request_models import CanaryBody, ModelPath
from driftloop_registry.responses import Refused, found, outcome_of
from driftloop_registry.service import Desk


def add_canaries(app: FastAPI, desk: Desk, clock: Clock) -> None:
    @app.post("/models/{model}/canary", responses=WRITE)
    async def move_canary(model: ModelPath, body: CanaryBody, idempotency_key: Key = None) -> Response:
        """Let a version answer the first step's share of the entities, the next one's, or none any more: a new record, in any case."""
        identity = identity_of(idempotency_key, "canary", model, body.move, body.version, body.expected_epoch)
        state = await desk.current()
        outcome = state.outcome(identity)
        if outcome is None:
            known = found(state, model)
            version = body.version or (known.canary.version if known.canary is not None else None)
            if version is None:
                raise Refused(409, f"model {model} has no canary: begin one with a version", "version")
            command = MoveCanary(
                command_id=identity,
                at=clock.now(),
                actor=body.actor,
                reason=body.reason,
                model=model,
                version=version,
                move=body.move,
                champion_epoch=known.champion_epoch,
                expected_epoch=known.canary_epoch if body.expected_epoch is None else body.expected_epoch,
            )
            outcome = await desk.move_canary(command)
        return outcome_of(identity, outcome, desk.known(), 200)
