"""An ASGI application on a port, in a thread of its own."""

import socket
import threading
from collections.abc import Collection

import uvicorn

from driftloop.errors import ConfigurationError
from driftloop.service.bounded_connections import BoundedConnections
from driftloop.service.http_guard import App, Guarded


class HttpServer:
    """Binds at once, so that a taken port is an error with a name and not a thread that died."""

    def __init__(self, app: App, host: str, port: int, *, setting: str, names: Collection[str] = ()) -> None:
        try:
            self._socket = socket.create_server((host, port), backlog=512)
        except OSError as exc:
            raise ConfigurationError(f"{setting}: cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
        config = uvicorn.Config(
            Guarded(app, names),
            loop="uvloop",
            http=BoundedConnections,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self) -> "HttpServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answers what it has begun to answer."""
        self._server.should_exit = True
        self._thread.join(timeout=6)
