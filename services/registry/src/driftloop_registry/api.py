"""The registry over HTTP."""

from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException

from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import Clock
from driftloop.registry.fold import CHAMPION, RegistryState
from driftloop.registry.records import DIGEST_VERSION
from driftloop.service.bounded_bodies import BoundedBodies
from driftloop_registry.command_routes import add_writes
from driftloop_registry.request_models import AliasPath, AliasQuery, ModelPath, VersionPath
from driftloop_registry.responses import (
    READ,
    Refused,
    alias_of,
    answer,
    found,
    found_version,
    model_of,
    recalibrations_of,
    refusal,
    summary_of,
    version_of,
)
from driftloop_registry.service import Desk

MAX_BODY_BYTES = 64 * 1024

Stale = Annotated[Literal["ok"] | None, Query(description="ok: answer from what is folded here, without asking the broker")]


def create_app(desk: Desk, clock: Clock) -> FastAPI:
    app = FastAPI(title="driftloop registry", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(BoundedBodies, max_body_bytes=MAX_BODY_BYTES)
    _answer_errors(app)
    _reads(app, desk)
    add_writes(app, desk, clock)
    return app


def _reads(app: FastAPI, desk: Desk) -> None:
    async def state_for(stale: str | None) -> RegistryState:
        return desk.known() if stale == "ok" else await desk.current()

    @app.get("/models", responses=READ)
    async def list_models(stale: Stale = None) -> Response:
        """All models, each with its project, number of versions and aliases."""
        state = await state_for(stale)
        return answer([summary_of(model) for model in state.models.values()], offset=state.next_offset)

    @app.get("/models/{model}", responses=READ)
    async def show_model(model: ModelPath, stale: Stale = None) -> Response:
        """One model with all its versions."""
        state = await state_for(stale)
        return answer(model_of(found(state, model)), offset=state.next_offset)

    @app.get("/models/{model}/versions/{version}", responses=READ)
    async def show_version(model: ModelPath, version: VersionPath, stale: Stale = None) -> Response:
        """One version, and whether it waits for a person, was rejected or was deleted."""
        state = await state_for(stale)
        known = found(state, model)
        return answer(version_of(known, found_version(known, version)), offset=state.next_offset)

    @app.get("/models/{model}/aliases/{alias}", responses=READ)
    async def show_alias(model: ModelPath, alias: AliasPath, stale: Stale = None) -> Response:
        """Where an alias points, its epoch, and the manifest to load."""
        state = await state_for(stale)
        known = found(state, model)
        if alias not in known.aliases:
            raise Refused(404, f"model {model} has no {alias}", "alias")
        return answer(alias_of(known, known.aliases[alias]), offset=state.next_offset)

    @app.get("/models/{model}/recalibrations", responses=READ)
    async def show_recalibrations(model: ModelPath, stale: Stale = None) -> Response:
        """How the champion's answers are corrected, and every record of it that came before."""
        state = await state_for(stale)
        return answer(recalibrations_of(found(state, model)), offset=state.next_offset)

    @app.get("/models/{model}/at", responses=READ)
    async def show_alias_at(model: ModelPath, time: AwareDatetime, alias: AliasQuery = CHAMPION, stale: Stale = None) -> Response:
        """Where an alias pointed at a moment, and who had moved it there, and why."""
        state = await state_for(stale)
        known = found(state, model)
        move = known.move_at(alias, time)
        if move is None or move.moved is None:
            raise Refused(404, f"model {model} had no {alias} at {time.isoformat()}", "time")
        moved_by = {"by": move.actor, "reason": move.reason, "outcome": move.outcome.reason}
        return answer(alias_of(known, move.moved) | moved_by, offset=state.next_offset)

    @app.get("/models/{model}/history", responses=READ)
    async def show_history(model: ModelPath, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000, stale: Stale = None) -> Response:
        """The newest commands about a model with their outcomes, oldest first; of refused ones those that the log holds."""
        state = await state_for(stale)
        newest = [entry for entry, _ in zip(found(state, model).history.newest(), range(limit), strict=False)]
        return answer(newest[::-1], offset=state.next_offset)

    @app.get("/digest", responses=READ)
    async def show_digest(stale: Stale = None) -> Response:
        """The digest of the state and of the database, at one offset; a damaged database is made anew first."""
        await state_for(stale)
        offset, digest, view = await desk.digests()
        content = {"offset": offset, "digest_version": DIGEST_VERSION, "digest": digest, "view_digest": view}
        return answer(content, offset=offset)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, exc: Refused) -> Response:
        return refusal(exc.status, exc.reason, exc.field)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, exc: RequestValidationError) -> Response:
        first = exc.errors()[0]
        field = ".".join(str(part)[:80] for part in first["loc"][1:]) or str(first["loc"][0])
        return refusal(422, f"{field}: {first['msg']}", field)

    @app.exception_handler(TransientError)
    async def later(_: Request, exc: TransientError) -> Response:
        return refusal(503, str(exc))

    @app.exception_handler(ConfigurationError)
    async def misconfigured(_: Request, exc: ConfigurationError) -> Response:
        return refusal(503, str(exc))

    @app.exception_handler(HTTPException)
    async def other(_: Request, exc: HTTPException) -> Response:
        response = refusal(exc.status_code, str(exc.detail))
        response.headers.update(exc.headers or {})
        return response
