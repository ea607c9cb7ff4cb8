"""HTTP: ``/invocations`` and ``/ping`` as MLflow and SageMaker clients call them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from driftloop import metrics
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.headers import JSON, media_type
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage, TransientError
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import holds_probabilities, inference_schema
from driftloop.service.bounded_bodies import BoundedBodies
from driftloop_predictor.captured import SHOWN, CaptureReader
from driftloop_predictor.invocations import TooManyRows, read_rows
from driftloop_predictor.recorder import BufferFull, Recorder
from driftloop_predictor.said_who import who_answered
from driftloop_predictor.scored_rows import scored
from driftloop_predictor.serving import ScoringModel
from driftloop_predictor.unscored import UnscoredRows
from driftloop_predictor.watching import UnknownVersions, Watching
from driftloop_predictor.who_answers import WhoAnswers

DURABLE_SECONDS = 10.0
SEARCH_SECONDS = 0.25  # of one call, for rows that the model cannot score: nobody else is answered meanwhile

_encode = msgspec.json.Encoder().encode


LINES = ("application/x-ndjson", "application/jsonlines")  # of POST /captured


class Watched(NamedTuple):
    """What ``/captured`` needs of a model that is served elsewhere."""

    reader: CaptureReader
    who_answers: WhoAnswers


class Edge:
    """What HTTP answers from. It is up before the project is known, so that health can be asked from the start."""

    def __init__(self, *, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self.unscored = UnscoredRows()
        self._serving: Callable[[], ScoringModel | None] = lambda: None
        self.decoder: RequestDecoder | None = None
        self.recorder: Recorder | None = None
        self.schema: pa.Schema | None = None
        self.stream_schema: StreamSchema | None = None
        self.no_model = "no model is loaded yet"
        self.watched: Watched | None = None  # of a project whose model is served elsewhere

    def open(
        self, schema: StreamSchema, *, new_id: Callable[[], str], serving: Callable[[], ScoringModel | None], recorder: Recorder
    ) -> None:
        self.stream_schema = schema
        self.schema, self.recorder, self._serving = inference_schema(schema), recorder, serving
        self.decoder = RequestDecoder(schema, generated=new_id)

    def serving(self) -> ScoringModel | None:
        return self._serving()

    @property
    def is_open(self) -> bool:
        """Rows are taken; whether they can be scored is the model's to say."""
        return self.decoder is not None


class Refusal(Exception):
    """An answer that says no, and why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def build_app(edge: Edge) -> Starlette:
    async def invocations(request: Request) -> Response:
        try:
            return _json(await _invoke(edge, request))
        except Refusal as refusal:
            return _json({"error": refusal.reason}, refusal.code)

    async def ping(_request: Request) -> Response:
        can_answer = edge.is_open and edge.serving() is not None
        return _json({"can_answer": can_answer}, 200 if can_answer else 503)

    async def captured(request: Request) -> Response:
        try:
            return _json(await _capture(edge, request))
        except Refusal as refusal:
            return _json({"error": refusal.reason}, refusal.code)

    routes = [Route("/invocations", invocations, methods=["POST"]), Route("/captured", captured, methods=["POST"]), Route("/ping", ping)]
    return Starlette(
        routes=routes,
        middleware=[Middleware(BoundedBodies, max_body_bytes=edge.max_body_bytes)],
    )


async def _invoke(edge: Edge, request: Request) -> dict[str, Any]:
    content_type = media_type(request.headers.get("content-type", "").encode()).decode()
    if content_type != JSON:  # also none: a page on another site may send a body without one
        raise Refusal(415, f"content-type {content_type[:80]!r}: send {JSON}")
    body = await request.body()
    serving = edge.serving()
    if serving is None or edge.decoder is None or edge.recorder is None:
        raise Refusal(503, edge.no_model)
    try:
        rows = read_rows(body, edge.decoder)
    except TooManyRows as exc:
        raise Refusal(413, str(exc)) from exc
    except InvalidMessage as exc:
        raise Refusal(400, str(exc)) from exc
    with metrics.SCORING_SECONDS.labels("http").time():
        inferences = scored(rows, edge.schema, serving, datetime.now(UTC), None, SEARCH_SECONDS)
    edge.unscored.count(inferences.reasons)
    table = inferences.table
    await _record(edge.recorder, table, durable=request.query_params.get("durable") == "1")
    probabilities = {}
    if holds_probabilities(table.schema):
        probabilities = {PROBABILITIES: table.column(PROBABILITIES).to_pylist(maps_as_pydicts="strict")}
    return {
        "predictions": table.column("prediction").to_pylist(),
        "scores": table.column("score").to_pylist(),
        **probabilities,
        **who_answered(serving, inferences),
        "event_ids": table.column("event_id").to_pylist(),
        "unscored": [{"row": row, "reason": why.reason, "detail": why.detail} for row, why in sorted(inferences.unscored.items())],
    }


async def _capture(edge: Edge, request: Request) -> dict[str, Any]:
    content_type = media_type(request.headers.get("content-type", "").encode()).decode()
    if content_type not in LINES:  # also none, as of /invocations
        raise Refusal(415, f"content-type {content_type[:80]!r}: send {LINES[0]}")
    watched, recorder = edge.watched, edge.recorder
    if watched is None or recorder is None or edge.stream_schema is None:
        raise Refusal(404, "the model is served by driftloop, which records what it answers: there are no logs to be read")
    try:
        found = watched.reader.read(await request.body(), request.query_params.get("version"))
        now = watched.who_answers.now()
        if not isinstance(now, Watching):
            raise Refusal(409, "a version of driftloop's answers now: logs of another system's answers are not taken")
        known = now.numbered(found.answers)
    except TooManyRows as exc:
        raise Refusal(413, str(exc)) from exc
    except TransientError as exc:
        raise Refusal(503, str(exc)) from exc
    except InvalidMessage as exc:
        raise Refusal(400, str(exc)) from exc
    except UnknownVersions as exc:
        try:
            await asyncio.to_thread(watched.who_answers.make_known, exc.names)
        except TransientError as unreached:
            raise Refusal(503, str(unreached)) from unreached
        raise Refusal(503, f"the registry is told of the versions {exc}: repeat the call") from exc
    if found.rows.num_rows:
        await _record(recorder, found.inferences(edge.stream_schema, known, datetime.now(UTC)), durable=True)
    shown = [{"line": line, "reason": reason} for line, reason in found.rejected[:SHOWN]]
    return {"recorded": found.rows.num_rows, "failed_calls": found.failed, "rejected": len(found.rejected), "reasons": shown}


async def _record(recorder: Recorder, rows: pa.Table, *, durable: bool) -> None:
    try:
        held = recorder.record(rows)
    except BufferFull as exc:
        if durable:
            raise Refusal(503, f"not recorded: {exc}") from exc
        return  # counted; an answer is worth more than its record
    if not durable:
        return
    try:
        await asyncio.wait_for(asyncio.wrap_future(held), DURABLE_SECONDS)
    except TimeoutError as exc:
        reason = (
            f"the broker has not confirmed within {DURABLE_SECONDS:g} s; the rows may still be recorded, so repeat with the same event ids"
        )
        raise Refusal(503, reason) from exc
    except Exception as exc:
        raise Refusal(500, "the rows could not be recorded; the predictor's log says why") from exc


def _json(content: Any, code: int = 200) -> Response:
    return Response(_encode(content), code, media_type="application/json")
