"""uvicorn in a thread, beside the worker that handles events."""

import contextlib
import socket
import threading
from collections.abc import Collection

import uvicorn
from fastapi import FastAPI

from driftloop.errors import ConfigurationError
from driftloop.service.bounded_connections import BoundedConnections
from driftloop.service.http_guard import Guarded


class HttpServer:
    """Listens from construction on; a port that is taken is an error that names the setting."""

    def __init__(self, app: FastAPI, host: str, port: int, *, setting: str, names: Collection[str] = ()) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as exc:
            raise ConfigurationError(f"{setting}={port}: cannot listen on {host}:{port}: {exc.strerror}") from exc
        config = uvicorn.Config(
            Guarded(app, names),
            loop="uvloop",
            http=BoundedConnections,
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Answer what is in hand, then end."""
        self._server.should_exit = True
        self._thread.join(timeout=7)

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):  # uvicorn's way to give up; `alive` tells
            self._server.run(sockets=[self._socket])
