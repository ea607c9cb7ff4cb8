"""An ASGI application on a port, in a thread of its own, and the paths of health for it."""

import contextlib
import socket
import threading
from collections.abc import Callable, Collection

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from driftloop.errors import ConfigurationError
from driftloop.service.bounded_calls import BoundedCalls
from driftloop.service.bounded_connections import BoundedConnections
from driftloop.service.counted_refusals import CountedRefusals
from driftloop.service.health import PATHS, Health, answer
from driftloop.service.http_guard import Guarded
from driftloop.service.settings import ServiceSettings
from driftloop.service.told_calls import ToldCalls

GRACE_SECONDS = 5  # for answers in hand when the server stops


def health_routes(health: Health) -> list[Route]:
    """Answered in the event loop itself: a loop that is stuck must not seem alive."""

    async def asked(request: Request) -> Response:
        found = answer(request.url.path, health)
        assert found is not None  # only PATHS lead here
        return Response(found.body, found.code, media_type=found.content_type)

    return [Route(path, asked, include_in_schema=False) for path in PATHS]


def serving(app: Starlette, *, told: bool = False) -> "Callable[[ServiceSettings, Health], HttpServer]":
    """For ``start.started``: ``app`` and the paths of health on the service's port. ``told``: as ``HttpServer`` has it."""

    def serve(settings: ServiceSettings, health: Health) -> HttpServer:
        app.router.routes.extend(health_routes(health))
        port, setting = settings.http_port, settings.port_setting
        return HttpServer(app, settings.http_host, port, setting=setting, names=settings.http_names, told=told)

    return serve


class HttpServer:
    """Listens from construction on. A port that is taken raises ConfigurationError: an error with a name, not a thread that died.

    Answers callers who name the service as it is called (``names``: see ``http_guard``): a bounded number of calls at a time, on a
    bounded number of connections, each for a bounded time. ``told``: the log tells of each call that may change something, also of
    those that are refused here.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, *, setting: str, names: Collection[str] = (), told: bool = False) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(512)
        except OSError as exc:
            self._socket.close()
            raise ConfigurationError(f"{setting}={port}: cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
        counted = CountedRefusals(Guarded(BoundedCalls(app), names))
        config = uvicorn.Config(
            ToldCalls(counted) if told else counted,
            loop="uvloop",
            http=BoundedConnections,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> "HttpServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer what is in hand, then end."""
        self._server.should_exit = True
        self._thread.join(timeout=GRACE_SECONDS + 2)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):  # uvicorn's way to give up; `alive` tells
            self._server.run(sockets=[self._socket])
