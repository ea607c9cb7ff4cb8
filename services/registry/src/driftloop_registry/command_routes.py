"""Commands over HTTP: each is a record on the log, and its answer is the fold's."""

from fastapi import FastAPI, Response

from driftloop.contracts.commands import ApproveVersion, DeleteVersion, MoveAlias, Recalibrate, RejectVersion, WatchVersion
from driftloop.contracts.values import Window
from driftloop.contracts.watched import Reference
from driftloop.ports import Clock
from driftloop_registry.canary_routes import add_canaries
from driftloop_registry.command_ids import WRITE, Key, identity_of
from driftloop_registry.recalibration_calls import numbers_of, wish_of
from driftloop_registry.registration import Registration
from driftloop_registry.request_models import (
    AliasPath,
    ModelPath,
    MoveAliasBody,
    RecalibrateBody,
    ReferenceBody,
    RegisterProjectBody,
    RollBackBody,
    VersionBody,
    VersionPath,
    WatchBody,
)
from driftloop_registry.responses import Refused, found, outcome_of
from driftloop_registry.service import Desk, way_back


def add_writes(app: FastAPI, desk: Desk, clock: Clock) -> None:
    _projects_and_aliases(app, desk, clock)
    _recalibrations(app, desk, clock)
    add_canaries(app, desk, clock)
    _versions(app, desk, clock)
    _watching(app, desk, clock)


def _projects_and_aliases(app: FastAPI, desk: Desk, clock: Clock) -> None:
    @app.post("/projects", status_code=201, responses=WRITE)
    async def register_project(body: RegisterProjectBody, idempotency_key: Key = None) -> Response:
        wish = Registration(
            command_id=identity_of(idempotency_key, "project", body.model, body.archive),
            at=clock.now(),
            actor=body.actor,
            reason=body.reason,
            project=body.project,
            stream=body.stream,
            model=body.model,
            archive=body.archive,
            schema_fingerprint=body.schema_fingerprint,
            promotion=body.promotion.model_dump(exclude_none=True) if body.promotion else {},
        )
        outcome = await desk.register_project(wish)
        return outcome_of(wish.command_id, outcome, desk.known(), 201)

    @app.post("/models/{model}/aliases/{alias}", responses=WRITE)
    async def move_alias(model: ModelPath, alias: AliasPath, body: MoveAliasBody, idempotency_key: Key = None) -> Response:
        command = MoveAlias(
            command_id=identity_of(idempotency_key, "alias", model, alias, body.version, body.expected_epoch),
            at=clock.now(),
            actor=body.actor,
            reason=body.reason,
            model=model,
            alias=alias,
            version=body.version,
            expected_epoch=body.expected_epoch,
        )
        outcome = await desk.move_alias(command)
        return outcome_of(command.command_id, outcome, desk.known(), 200)

    @app.post("/models/{model}/aliases/{alias}/rollback", responses=WRITE)
    async def roll_back(model: ModelPath, alias: AliasPath, body: RollBackBody, idempotency_key: Key = None) -> Response:
        """Point an alias at the version before its present one, or at a version of the caller's: a new epoch, not an old one again."""
        command_id = identity_of(idempotency_key, "rollback", model, alias, body.to, body.expected_epoch)
        state = await desk.current()
        outcome = state.outcome(command_id)
        if outcome is None:  # else the way back has been gone already, and from there it leads further back
            known = found(state, model)
            command = MoveAlias(
                command_id=command_id,
                at=clock.now(),
                actor=body.actor,
                reason=body.reason,
                model=model,
                alias=alias,
                version=body.to or way_back(known, alias),
                expected_epoch=known.epoch(alias) if body.expected_epoch is None else body.expected_epoch,
            )
            outcome = await desk.move_alias(command)
        return outcome_of(command_id, outcome, desk.known(), 200)


def _recalibrations(app: FastAPI, desk: Desk, clock: Clock) -> None:
    @app.post("/models/{model}/recalibrations", responses=WRITE)
    async def recalibrate(model: ModelPath, body: RecalibrateBody, idempotency_key: Key = None) -> Response:
        """Correct the champion's answers, or no longer, by a person's decision: a new record, of which a promotion is the end."""
        wish = wish_of(body)
        command_id = identity_of(idempotency_key, "recalibrate", model, wish, body.expected_epoch, body.champion_epoch)
        state = await desk.current()
        outcome = state.outcome(command_id)
        if outcome is None:
            known = found(state, model)
            if known.champion is None:
                raise Refused(409, f"model {model} has no champion whose answers could be corrected", "model")
            command = Recalibrate(
                command_id=command_id,
                at=clock.now(),
                actor=body.actor,
                reason=body.reason,
                model=model,
                version=known.champion.version,
                champion_epoch=known.champion_epoch if body.champion_epoch is None else body.champion_epoch,
                expected_epoch=known.recalibration_epoch if body.expected_epoch is None else body.expected_epoch,
                recalibration=numbers_of(wish, known),
            )
            outcome = await desk.recalibrate(command)
        return outcome_of(command_id, outcome, desk.known(), 200)


def _versions(app: FastAPI, desk: Desk, clock: Clock) -> None:
    async def say(
        kind: type[ApproveVersion | RejectVersion | DeleteVersion], model: str, version: int, body: VersionBody, key: str | None
    ) -> Response:
        command = kind(
            command_id=identity_of(key, kind.TYPE, model, version),
            at=clock.now(),
            actor=body.actor,
            reason=body.reason,
            model=model,
            version=version,
        )
        outcome = await desk.change_version(command)
        return outcome_of(command.command_id, outcome, desk.known(), 200)

    @app.post("/models/{model}/versions/{version}/approve", responses=WRITE)
    async def approve(model: ModelPath, version: VersionPath, body: VersionBody, idempotency_key: Key = None) -> Response:
        """Make a version that waits for a person champion, if the champion has not moved since it was measured."""
        return await say(ApproveVersion, model, version, body, idempotency_key)

    @app.post("/models/{model}/versions/{version}/reject", responses=WRITE)
    async def reject(model: ModelPath, version: VersionPath, body: VersionBody, idempotency_key: Key = None) -> Response:
        """Close the question of a version that waits for a person."""
        return await say(RejectVersion, model, version, body, idempotency_key)

    @app.post("/models/{model}/versions/{version}/delete", responses=WRITE)
    async def delete(model: ModelPath, version: VersionPath, body: VersionBody, idempotency_key: Key = None) -> Response:
        """Give a version up that nothing holds. Its record and its number stay."""
        return await say(DeleteVersion, model, version, body, idempotency_key)


def _watching(app: FastAPI, desk: Desk, clock: Clock) -> None:
    @app.post("/models/{model}/watched", status_code=201, responses=WRITE)
    async def watch(model: ModelPath, body: WatchBody, idempotency_key: Key = None) -> Response:
        """Give a version that is served elsewhere a number, and say what its rows are compared with."""
        reference = None if body.reference is None else _reference(body.reference, body.served_as)
        command = WatchVersion(
            command_id=identity_of(idempotency_key, "watch", model, body.served_as, reference),
            at=clock.now(),
            actor=body.actor,
            reason=body.reason,
            model=model,
            served_as=body.served_as,
            reference=reference,
        )
        return outcome_of(command.command_id, await desk.watch(command), desk.known(), 201)


def _reference(body: ReferenceBody, served_as: str) -> Reference:
    window = Window(start=body.window.start, end=body.window.end)
    return Reference(window=window, rows=body.rows, profile=body.profile, served_as=served_as)
