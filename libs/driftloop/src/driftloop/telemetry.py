"""What a service tells about itself: logs with fields, health, status and metrics."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Ready = Callable[[], tuple[bool, dict[str, Any]]]
Status = Callable[[], dict[str, Any]]


class Log:
    """``log.info("batch-stored", topic=…, rows=…)``: an event name and fields, no sentences."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._log.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Any) -> None:
        self._log.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._log.warning(event, extra={"fields": fields})

    def error(self, event: str, *, exc_info: bool = False, **fields: Any) -> None:
        self._log.error(event, extra={"fields": fields}, exc_info=exc_info)


def get_logger(name: str) -> Log:
    return Log(name)


class _JsonLines(logging.Formatter):
    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._about = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": datetime.fromtimestamp(record.created, UTC).isoformat(), "level": record.levelname.lower(), **self._about}
        line |= {"logger": record.name, "event": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(service: str, instance: str, level: int = logging.INFO) -> None:
    """One JSON object per line on stderr, for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service, instance))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("kafka", "aiokafka", "faust", "mode", "urllib3", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class HealthServer:
    """``/healthz`` alive, ``/readyz`` can do its work (503 with the reason otherwise), ``/status``, ``/metrics``; own thread."""

    def __init__(self, host: str, port: int, *, ready: Ready, status: Status) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(ready, status))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> "HealthServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _handler(ready: Ready, status: Status) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
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
