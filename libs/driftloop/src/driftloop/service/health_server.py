"""Health on a port of its own, for services that answer nothing else."""

import json
import threading
from collections.abc import Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from driftloop.service.bounded_health import BoundedServer, GuardedHandler

Ready = Callable[[], tuple[bool, dict[str, Any]]]
Status = Callable[[], dict[str, Any]]


class HealthServer:
    """``/healthz`` alive, ``/readyz`` can do its work (503 with the reason otherwise), ``/status``, ``/metrics``; own thread.

    ``names``: what the service is called by over HTTP, beside localhost and its address.
    """

    def __init__(self, host: str, port: int, *, ready: Ready, status: Status, names: frozenset[str] = frozenset()) -> None:
        self._server = BoundedServer((host, port), _handler(ready, status))
        self._server.names = names
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> "HealthServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _handler(ready: Ready, status: Status) -> type[GuardedHandler]:
    class Handler(GuardedHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/healthz":
                    self._answer(200, {"alive": True})
                case "/readyz":
                    ok, why = ready()
                    self._answer(200 if ok else 503, {"ready": ok, **why})
                case "/status":
                    self._answer(200, status())
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest())
                case _:
                    self._answer(404, {"error": "one of /healthz, /readyz, /status, /metrics"})

        def _answer(self, code: int, body: dict[str, Any]) -> None:
            self._send(code, "application/json", json.dumps(body, default=str).encode())

        def _send(self, code: int, content_type: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every second; they are not logged."""

    return Handler
