"""The registry over HTTP."""

import uuid
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException

from driftloop.contracts.codec import caused_id
from driftloop.contracts.commands import MoveAlias, RegisterProject
from driftloop.errors import ConfigurationError, TransientError
from driftloop.loop.registry import CHAMPION, ModelState, RegistryState
from driftloop.ports import Clock
from driftloop_registry.answers import Refused, alias_of, answer, model_of, outcome_of, refusal, summary_of
from driftloop_registry.bodies import AliasPath, AliasQuery, ModelPath, MoveAliasBody, RegisterProjectBody, VersionPath
from driftloop_registry.body_limit import BodyLimit
from driftloop_registry.desk import Desk

Stale = Annotated[Literal["ok"] | None, Query(description="ok: answer from what is folded here, without asking the broker")]
Key = Annotated[str | None, Header(min_length=1, max_length=200, description="a call repeated with its key is done once")]
_READ: dict[int | str, dict[str, Any]] = {404: {"description": "unknown"}, 422: {"description": "bad input"}, 503: {"description": "later"}}
_WRITE = _READ | {400: {"description": "no JSON"}, 409: {"description": "refused"}, 413: {"description": "too large"}}


def create_app(desk: Desk, clock: Clock) -> FastAPI:
    app = FastAPI(title="driftloop registry", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit)
    _answer_errors(app)
    _reads(app, desk)
    _writes(app, desk, clock)
    return app


def _reads(app: FastAPI, desk: Desk) -> None:
    async def state_for(stale: str | None) -> RegistryState:
        return desk.known() if stale == "ok" else await desk.current()

    @app.get("/models", responses=_READ)
    async def list_models(stale: Stale = None) -> Response:
        """All models, each with its project, number of versions and aliases."""
        state = await state_for(stale)
        return answer([summary_of(model) for model in state.models.values()], offset=state.next_offset)

    @app.get("/models/{model}", responses=_READ)
    async def show_model(model: ModelPath, stale: Stale = None) -> Response:
        """One model with all its versions."""
        state = await state_for(stale)
        return answer(model_of(_model(state, model)), offset=state.next_offset)

    @app.get("/models/{model}/versions/{version}", responses=_READ)
    async def show_version(model: ModelPath, version: VersionPath, stale: Stale = None) -> Response:
        state = await state_for(stale)
        found = _model(state, model).version(version)
        if found is None:
            raise Refused(404, f"model {model} has no version {version}", "version")
        return answer(found, offset=state.next_offset)

    @app.get("/models/{model}/aliases/{alias}", responses=_READ)
    async def show_alias(model: ModelPath, alias: AliasPath, stale: Stale = None) -> Response:
        """Where an alias points, its epoch, and the manifest to load."""
        state = await state_for(stale)
        known = _model(state, model)
        if alias not in known.aliases:
            raise Refused(404, f"model {model} has no {alias}", "alias")
        return answer(alias_of(known, known.aliases[alias]), offset=state.next_offset)

    @app.get("/models/{model}/at", responses=_READ)
    async def show_alias_at(model: ModelPath, time: AwareDatetime, alias: AliasQuery = CHAMPION, stale: Stale = None) -> Response:
        """Where an alias pointed at a moment."""
        state = await state_for(stale)
        known = _model(state, model)
        found = known.alias_at(alias, time)
        if found is None:
            raise Refused(404, f"model {model} had no {alias} at {time.isoformat()}", "time")
        return answer(alias_of(known, found), offset=state.next_offset)

    @app.get("/models/{model}/history", responses=_READ)
    async def show_history(model: ModelPath, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000, stale: Stale = None) -> Response:
        """The newest commands about a model with their outcomes, refused ones too, oldest first."""
        state = await state_for(stale)
        newest = [entry for entry, _ in zip(_model(state, model).history.newest(), range(limit), strict=False)]
        return answer(newest[::-1], offset=state.next_offset)

    @app.get("/digest", responses=_READ)
    async def show_digest(stale: Stale = None) -> Response:
        """The digest of the state and of the database, at one offset; a damaged database is made anew first."""
        await state_for(stale)
        offset, digest, view = await desk.digests()
        return answer({"offset": offset, "digest": digest, "view_digest": view}, offset=offset)


def _writes(app: FastAPI, desk: Desk, clock: Clock) -> None:
    @app.post("/projects", status_code=201, responses=_WRITE)
    async def register_project(body: RegisterProjectBody, idempotency_key: Key = None) -> Response:
        command = RegisterProject(
            command_id=_command_id(idempotency_key, "project", body.model, body.archive),
            at=clock.now(),
            actor=body.actor,
            reason=body.reason,
            project=body.project,
            stream=body.stream,
            model=body.model,
            archive=body.archive,
            schema_fingerprint=body.schema_fingerprint,
            promotion=body.promotion.rules(),
        )
        outcome = await desk.register_project(command)
        return outcome_of(command.command_id, outcome, desk.known(), 201)

    @app.post("/models/{model}/aliases/{alias}", responses=_WRITE)
    async def move_alias(model: ModelPath, alias: AliasPath, body: MoveAliasBody, idempotency_key: Key = None) -> Response:
        command = MoveAlias(
            command_id=_command_id(idempotency_key, "alias", model, alias, body.version, body.expected_epoch),
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


def _command_id(key: str | None, *call: object) -> str:
    """A repeat is one with the same key *and* the same call; without a key every call is a new one."""
    return caused_id("http", key, *call) if key is not None else str(uuid.uuid4())


def _model(state: RegistryState, name: str) -> ModelState:
    model = state.model(name)
    if model is None:
        raise Refused(404, f"no model {name} is registered", "model")
    return model


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
