"""The console over HTTP: each page as HTML and, with ``.json`` behind its name, as the values that it is made of."""

import functools
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from driftloop.errors import TransientError, UserError
from driftloop.registry.state import RegistryState
from driftloop.service.bounded_bodies import BoundedBodies
from driftloop_console import commands
from driftloop_console.asking import Questions
from driftloop_console.freshness import Freshness
from driftloop_console.html import Html
from driftloop_console.pages import drift, journal, models, now, performance, prediction, what_if
from driftloop_console.policies import Policies
from driftloop_console.record import ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.security import SafeAnswers
from driftloop_console.view import NotFound, View, view_of

MAX_BODY_BYTES = 64 * 1024
STATIC = Path(__file__).parent / "static"
FOLDED_SECONDS = 3.0  # after a command, for the registry's log to be folded here, too


class Desk(NamedTuple):
    """What pages are made of."""

    record: ConsoleFold
    registry: Callable[[], RegistryState]
    freshness: Freshness
    ask: Questions
    command: Callable[[commands.Call], dict[str, Any]]
    rounds: Rounds
    policies: Policies

    def model_names(self) -> list[str]:
        with self.record.reading() as record:
            told = list(record.models)
        return sorted({*self.registry().models, *told})

    def model_of(self, view: View) -> str | None:
        """The one that the address names, else the first; None while there is none."""
        return view.model or next(iter(self.model_names()), None)


Content = Callable[[Desk, View], dict[str, Any]]


class Page(NamedTuple):
    """``template``: of its HTML; None: a page that only scripts ask for."""

    path: str
    template: str | None
    content: Content


def _of_model(content: Callable[[Desk, View, str], dict[str, Any]]) -> Content:
    def of(desk: Desk, view: View) -> dict[str, Any]:
        model = desk.model_of(view)
        return {"model": None} if model is None else content(desk, view, model)

    return of


def _named(view: View) -> str:
    name = view.text("feature")
    if name is None:
        raise NotFound("which column? The address says it as feature=")
    return name


PAGES = (
    Page("/", "journal.html", lambda desk, view: journal.journal(desk.record, desk.registry(), view)),
    Page(
        "/what-if",
        "what_if.html",
        _of_model(lambda desk, view, model: what_if.what_if(desk.record, desk.registry(), desk.policies.of, view, model)),
    ),
    Page("/now", "now.html", lambda desk, view: now.now(desk.record, desk.registry(), desk.rounds, view)),
    Page("/performance", "performance.html", _of_model(lambda desk, view, model: performance.performance(desk.record, view, model))),
    Page("/drift", "drift.html", _of_model(lambda desk, view, model: drift.drift(desk.record, view, model))),
    Page("/feature", "feature.html", _of_model(lambda desk, view, model: drift.feature(desk.record, view, model, _named(view)))),
    Page(
        "/distribution",
        "distribution.html",
        _of_model(
            lambda desk, view, model: prediction.distribution(desk.record, desk.registry(), desk.ask, view, model, _named(view)),
        ),
    ),
    Page("/models", "models.html", _of_model(lambda desk, view, model: models.models(desk.record, desk.registry(), view, model))),
    Page("/version", "version.html", _of_model(lambda desk, view, model: models.version(desk.record, desk.registry(), view, model))),
    Page("/prediction", "prediction.html", lambda desk, view: prediction.prediction(desk.ask, view)),
)


def create_app(desk: Desk) -> Starlette:
    html = Html()
    routes: list[Route | Mount] = []
    for page in PAGES:
        name = "/journal" if page.path == "/" else page.path
        routes.append(Route(page.path, functools.partial(_as_html, desk, html, page)))
        routes.append(Route(f"{name}.json", functools.partial(_as_json, desk, page)))
    routes.append(Route("/models/{verb}", functools.partial(_command, desk, html), methods=["POST"]))
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
