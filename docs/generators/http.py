"""``python -m docs.generators.http > docs/http.md``: the routes of each service, from the applications that answer them."""

import sys
from typing import Any, cast

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from driftloop.service.health import PATHS
from driftloop_console.app import create_app as console
from driftloop_predictor.http import Edge, build_app
from driftloop_registry.api import create_app as registry

HEAD = """\
# HTTP

Generated from the services' applications by `make docs`; a test compares the two. Every body is JSON.

**Who may.** There is no login: who reaches a port may use it, so let only those reach it who should
([what it protects](compose.md#what-it-protects)). A caller who names a service otherwise than it is called (`HTTP_NAMES`) is answered 421,
a page of another origin that wants to change something 403. What changes something takes `actor` and `reason`, and both stand in the log
for ever. `Idempotency-Key` makes a repeat of a call be done once.

**What else is answered.** 400 no JSON, or a wrong field, by its name; 404 not there; 408 a body that does not come; 409 refused, with the
reason; 413 too much; 415 another content type; 422 a field that cannot be; 503 waits for something, with `Retry-After`.

"""

# of routes that have no words of their own
SAID = {
    "/healthz": "alive: the process answers",
    "/readyz": "200 when it can do its work, 503 with the reason otherwise",
    "/status": "what it is at, for people",
    "/metrics": "for Prometheus: [metrics](reference.md#metrics)",
    "/invocations": "scores rows as MLflow's and SageMaker's clients send them; `?durable=1` waits until they are recorded",
    "/captured": "takes what another system answered, as its logs have it ([watching](watching.md))",
    "/ping": "200 when it can answer, 503 without a model",
    "/projects": "Make an archive that is stored the current one of its project.",
    "/models/{model}/aliases/{alias}": "Point an alias at a version, if its epoch is still the one that the caller knows.",
    "/": "what happened, as a journal",
    "/now": "what runs and what is stuck",
    "/performance": "how a model does on each window",
    "/drift": "how far each window has moved: a heat map",
    "/feature": "one column, window by window",
    "/distribution": "a column's values in a window beside those in training",
    "/models": "versions, aliases, what waits for a person",
    "/version": "a version and where it comes from",
    "/prediction": "a prediction back to bytes",
    "/models/{verb}": "promote, roll back, approve, reject: goes to the registry; only from its own pages",
    "/static": "scripts and styles of the pages",
}


def page() -> str:
    nothing = cast(Any, None)  # routes are asked for, nobody calls them
    applications = {
        "registry": (
            "Versions, aliases and what changes them. Reads take `?stale=ok`: answered from what is folded, without asking the broker.",
            registry(nothing, nothing),
        ),
        "predictor": (
            "Scores outside the stream. [What it promises](../services/predictor/README.md#http).",
            build_app(Edge(max_body_bytes=0)),
        ),
        "console": (
            "Pages in a browser ([the console](console.md)); each is also values, with `.json` behind its name.",
            console(nothing),
        ),
    }
    health = [f"| GET | `{path}` | {SAID[path]} | |" for path in PATHS]
    parts = [HEAD, "## Every service\n\n", _table(health)]
    for name, (about, application) in applications.items():
        parts += [f"\n## {name}\n\n{about}\n\n", _table([row for route in application.routes for row in _rows(route, name)])]
    parts.append("\nThe others answer what every service does.\n")
    return "".join(parts)


def _rows(route: BaseRoute, service: str) -> list[str]:
    if isinstance(route, APIRoute):
        takes = [f"`{parameter.alias}`" for parameter in route.dependant.query_params if parameter.alias != "stale"]
        takes += [f"`{name}`" for body in route.dependant.body_params for name in body.field_info.annotation.model_fields]  # type: ignore[union-attr]
        said = route.description or _said(route.path)
        return [f"| {method} | `{route.path}` | {' '.join(said.split())} | {', '.join(takes)} |" for method in sorted(route.methods)]
    if isinstance(route, Mount):
        return [f"| GET | `{route.path}/…` | {_said(route.path)} | |"]
    if isinstance(route, Route) and not route.path.endswith(".json") and route.path not in (*PATHS, "/openapi.json"):
        return [f"| {method} | `{route.path}` | {_said(route.path)} | |" for method in sorted((route.methods or set()) - {"HEAD"})]
    return []


def _said(path: str) -> str:
    return SAID.get(path, path.strip("/"))


def _table(rows: list[str]) -> str:
    return "\n".join(["| method | path | | takes |", "| --- | --- | --- | --- |", *rows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
