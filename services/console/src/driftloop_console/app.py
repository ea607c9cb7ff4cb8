"""The console over HTTP: each page as HTML and, with ``.json`` behind its name, as the values that it is made of."""

import functools
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from driftloop.client.arguments import checked_name
from driftloop.errors import TransientError, UserError
from driftloop.service.bounded_bodies import BoundedBodies
from driftloop_console import commands
from driftloop_console.desk import Desk
from driftloop_console.html import Html
from driftloop_console.pages import data, models, now, rejected
from driftloop_console.redrive_form import redriving_of
from driftloop_console.security import SafeAnswers
from driftloop_console.site import PAGES, Page
from driftloop_console.streams import Told
from driftloop_console.view import NotFound, View, view_of

MAX_BODY_BYTES = 64 * 1024
STATIC = Path(__file__).parent / "static"
FOLDED_SECONDS = 3.0  # after a command, for the registry's log to be folded here, too


def create_app(desk: Desk) -> Starlette:
    html = Html()
    routes: list[Route | Mount] = []
    for page in PAGES:
        name = "/journal" if page.path == "/" else page.path
        routes.append(Route(page.path, functools.partial(_as_html, desk, html, page)))
        routes.append(Route(f"{name}.json", functools.partial(_as_json, desk, page)))
    routes.append(Route("/now/events", functools.partial(_events, desk, html)))
    routes.append(Route("/models/{verb}", functools.partial(_command, desk, html), methods=["POST"]))
    routes.append(Route("/redrive/send", functools.partial(_redrive, desk, html), methods=["POST"]))
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))
    middleware = [Middleware(SafeAnswers), Middleware(BoundedBodies, max_body_bytes=MAX_BODY_BYTES)]
    missing = functools.partial(_missing, desk, html)
    return Starlette(routes=routes, middleware=middleware, exception_handlers={404: missing, 405: missing})


async def _as_html(desk: Desk, html: Html, page: Page, request: Request) -> Response:
    began = time.perf_counter()
    view = View(None, "", "", None, None, {})
    try:
        view = view_of(dict(request.query_params))
        content = await run_in_threadpool(page.content, desk, view)
    except (NotFound, UserError, TransientError) as exc:
        return _error(desk, html, request.url.path, view, exc)
    return _shown(desk, html, page, view, content, began)


async def _as_json(desk: Desk, page: Page, request: Request) -> Response:
    began = time.perf_counter()
    try:
        content = await run_in_threadpool(page.content, desk, view_of(dict(request.query_params)))
        code = 200
    except (NotFound, UserError, TransientError) as exc:
        content, code = {"error": str(exc)}, _status(exc)
    content["as_of"] = desk.freshness.known.as_of
    content["notices"] = desk.freshness.sentences()
    return Response(msgspec.json.encode(content), code, _timed(began), "application/json")


async def _events(desk: Desk, html: Html, request: Request) -> Response:
    """What changes of *Now*, as it changes: the part of its page, made here as the page is."""
    try:
        view = view_of(dict(request.query_params))
    except UserError as exc:
        return Response(msgspec.json.encode({"error": str(exc)}), 400, media_type="application/json")

    def told() -> Told:
        content = now.now(desk.record, desk.registry(), desk.rounds, view)
        notices = desk.freshness.sentences()
        page = html.render("now_part.html", page=content, view=view)
        return Told(msgspec.json.encode([content | {"at": None}, notices]), {"html": page, "notices": notices})

    return desk.streams.answer(told)


async def _command(desk: Desk, html: Html, request: Request) -> Response:
    """A form's answer: back to the model's page once the log that the pages are made of has it; else the page that says why not."""
    verb = request.path_params["verb"]
    if verb not in commands.VERBS:
        return await _missing(desk, html, request, None)
    fields: Mapping[str, str] = {}
    try:
        fields = commands.fields_of(await request.body())
        call = commands.call_of(verb, fields)
        answer = await run_in_threadpool(_done, desk, call)
    except (UserError, TransientError) as exc:
        return _refused(desk, html, verb, fields, exc)
    view = View(call.model, "", "", None, None, {})
    done = "done" if answer.get("accepted", True) else "not"
    return RedirectResponse(f"/models?{view.query(told=done)}", 303)


async def _redrive(desk: Desk, html: Html, request: Request) -> Response:
    """A form's answer: back to quarantine with how many were sent; else the page that says why not. Sent again it sends nothing twice."""
    fields: Mapping[str, str] = {}
    model: str | None = None
    try:
        fields = commands.fields_of(await request.body())
        model = checked_name(fields.get("model", ""), "name of a model")
        asked = redriving_of(fields, data.stream_of(models.found(desk.registry(), model)), send=True)
        done = await run_in_threadpool(desk.ask, asked)
    except (NotFound, UserError, TransientError) as exc:
        code = 503 if isinstance(exc, TransientError) else 409
        content = {"fields": dict(fields), "error": str(exc), "unknown": code == 503}
        return _rendered(desk, html, "redrive_refused.html", "/quarantine", View(model, "", "", None, None, {}), content, code)
    told = {name: int(done.get(name, 0)) for name in rejected.COUNTS}
    return RedirectResponse(f"/quarantine?{View(model, '', '', None, None, {}).query(told='done', **told)}", 303)


def _done(desk: Desk, call: commands.Call) -> dict[str, Any]:
    answer = desk.command(call)
    command_id, deadline = str(answer.get("command_id")), time.monotonic() + FOLDED_SECONDS
    while desk.registry().outcome(command_id) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def _refused(desk: Desk, html: Html, verb: str, fields: Mapping[str, str], exc: Exception) -> Response:
    """With the form again: under the same key while the outcome is not known, so that it is done once; under a new one after a no."""
    unknown = isinstance(exc, TransientError)
    try:
        view = view_of({"model": fields.get("model", "")})
    except UserError:
        view = View(None, "", "", None, None, {})
    again = dict(fields) | ({} if unknown else {"key": str(uuid.uuid4())})
    content = {"verb": verb, "fields": again, "error": str(exc), "unknown": unknown}
    return _rendered(desk, html, "refused.html", "/models", view, content, 503 if unknown else 409)


def _shown(desk: Desk, html: Html, page: Page, view: View, content: dict[str, Any], began: float) -> Response:
    assert page.template is not None
    return _rendered(desk, html, page.template, page.path, view, content, 200, began)


def _error(desk: Desk, html: Html, path: str, view: View, exc: Exception) -> Response:
    return _rendered(desk, html, "error.html", path, view, {"error": str(exc)}, _status(exc))


def _rendered(
    desk: Desk, html: Html, template: str, path: str, view: View, content: dict[str, Any], code: int, began: float | None = None
) -> Response:
    began = time.perf_counter() if began is None else began
    around = {
        "path": path,
        "view": view,
        "models": desk.model_names(),
        "current": content.get("model"),
        "notices": desk.freshness.sentences(),
        "as_of": desk.freshness.known.as_of,
        "key": str(uuid.uuid4()),
    }
    text = html.render(template, page=content, **around)
    return Response(text, code, _timed(began), "text/html; charset=utf-8")


async def _missing(desk: Desk, html: Html, request: Request, exc: Exception | None) -> Response:
    view = View(None, "", "", None, None, {})
    return _error(desk, html, request.url.path, view, NotFound("there is no such page: the menu has all of them"))


def _status(exc: Exception) -> int:
    return 404 if isinstance(exc, NotFound) else 503 if isinstance(exc, TransientError) else 400


def _timed(began: float) -> dict[str, str]:
    return {"Server-Timing": f"page;dur={1000 * (time.perf_counter() - began):.1f}"}
