"""Python's own HTTP server, for health alone, within bounds: a few connections, each for a few seconds, for callers who mean it."""

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from driftloop import metrics
from driftloop.service.counted_refusals import count_refusal
from driftloop.service.http_guard import Caller, refusal

MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 10.0  # for a request and its answer


class BoundedServer(ThreadingHTTPServer):
    """Hangs up on connections that last too long, and on the oldest one when there are too many. ``names``: see ``http_guard``."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS  # Python's five make callers who come together wait for a second or more
    names: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._began: dict[socket.socket, float] = {}  # oldest first
        self._lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            oldest = next(iter(self._began)) if len(self._began) >= MAX_CONNECTIONS else None
            self._began[request] = time.monotonic()
        if oldest is not None:
            self._hang_up(oldest, "full")
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._began.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called twice a second."""
        until = time.monotonic() - CONNECTION_SECONDS
        with self._lock:
            late = [request for request, began in self._began.items() if began < until]
        for request in late:
            self._hang_up(request, "slow")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who is gone, or was hung up on, is no fault of this service."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def _hang_up(self, request: socket.socket, why: str) -> None:
        """Its thread finds the connection at its end, and ends, too."""
        with self._lock:
            if self._began.pop(request, None) is None:
                return
        metrics.HTTP_CLOSED.labels(why).inc()
        try:
            request.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was gone already


class GuardedHandler(BaseHTTPRequestHandler):
    """Answers ``answer`` to callers who name the service as it is called."""

    server: BoundedServer

    def send_response(self, code: int, message: str | None = None) -> None:
        count_refusal(getattr(self, "path", "").partition("?")[0], code)
        super().send_response(code, message)

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        headers = self.headers
        caller = Caller(self.command, headers.get("Host"), headers.get("Origin"), headers.get("Sec-Fetch-Site"))
        refused = refusal(caller, self.server.names)
        if refused is None:
            return True
        body = json.dumps({"error": refused.reason}).encode()
        self.send_response(refused.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return False
