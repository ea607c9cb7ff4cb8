"""A receiver of webhooks: a real HTTP server that checks signatures as Standard Webhooks says, and answers as it is told."""

import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Arrived(NamedTuple):
    """One call; ``event`` is its body."""

    id: str
    code: int  # that was answered
    signed: bool
    headers: dict[str, str]
    event: dict[str, Any]


class Receiver:
    """Listens from construction on. ``answers``: codes of the next calls, in order; then 204. ``hang``: the next calls get no answer
    until it is set."""

    def __init__(self, key: bytes | None = None) -> None:
        self.key, self.calls = key, list[Arrived]()
        self.answers: deque[int] = deque()
        self.go_on = threading.Event()
        self.go_on.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/driftloop"

    def arrived(self) -> list[Arrived]:
        """What was answered with 2xx, in order."""
        return [call for call in self.calls if 200 <= call.code < 300]

    def told(self, project: str) -> list[tuple[str, str]]:
        """Type and text of what arrived of one project."""
        return [(call.event["type"], call.event["data"]["text"]) for call in self.arrived() if call.event["data"]["project"] == project]

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, call: BaseHTTPRequestHandler) -> None:
        body = call.rfile.read(int(call.headers["content-length"]))
        headers = {name.lower(): value for name, value in call.headers.items()}
        self.go_on.wait()
        code = self.answers.popleft() if self.answers else 204
        self.calls.append(Arrived(headers["webhook-id"], code, self._signed(headers, body), headers, json.loads(body)))
        try:
            call.send_response(code)
            if 300 <= code < 400:
                call.send_header("location", "/elsewhere")
            call.send_header("content-length", "0")
            call.end_headers()
        except OSError:
            pass  # whoever called has gone

    def _signed(self, headers: dict[str, str], body: bytes) -> bool:
        if self.key is None:
            return "webhook-signature" not in headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(headers.get("webhook-signature", ""), f"v1,{expected}")
