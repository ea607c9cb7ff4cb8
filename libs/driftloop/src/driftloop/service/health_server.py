"""Health on a port of its own, for services that answer nothing else."""

import json
import socket
import threading
from typing import Any

from driftloop.errors import ConfigurationError
from driftloop.service.bounded_health import BoundedServer, GuardedHandler
from driftloop.service.health import PATHS, Answer, Health, answer
from driftloop.service.settings import ServiceSettings


class HealthServer:
    """Listens from construction on, in threads of its own from ``start`` on. A port that is taken raises ConfigurationError.

    Bounded as ``bounded_health`` says, for callers who name the service as it is called (``names``: see ``http_guard``).
    """

    def __init__(self, host: str, port: int, health: Health, *, setting: str, names: frozenset[str] = frozenset()) -> None:
        try:
            self._server = _Server(host, port, health, names)
        except OSError as exc:
            raise ConfigurationError(f"{setting}={port}: cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> "HealthServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def health_server(settings: ServiceSettings, health: Health) -> HealthServer:
    """For ``start.started``: health alone on the service's port. Raises ConfigurationError when it is taken."""
    return HealthServer(settings.http_host, settings.http_port, health, setting=settings.port_setting, names=settings.http_names)


class _Server(BoundedServer):
    def __init__(self, host: str, port: int, health: Health, names: frozenset[str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.health, self.names = health, names
        super().__init__((host, port), _Handler)


class _Handler(GuardedHandler):
    server: _Server

    def do_GET(self) -> None:
        found = answer(self.path.partition("?")[0], self.server.health)
        self._send(found or Answer(404, "application/json", json.dumps({"error": f"one of {', '.join(PATHS)}"}).encode()))

    def _send(self, found: Answer) -> None:
        self.send_response(found.code)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        self.wfile.write(found.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every second; they are not logged."""
