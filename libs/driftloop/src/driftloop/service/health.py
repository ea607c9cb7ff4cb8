"""What a service tells about itself over HTTP: alive, ready, status, metrics. The same four paths whatever server answers them."""

import json
from typing import Any, NamedTuple, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from driftloop import supervised
from driftloop.contracts.services import READY_PATH

ALIVE_PATH, STATUS_PATH, METRICS_PATH = "/healthz", "/status", "/metrics"
PATHS = (ALIVE_PATH, READY_PATH, STATUS_PATH, METRICS_PATH)


class Health(Protocol):
    """What a service knows about itself. Asked from a server's thread, from the start on, while the parts come to life."""

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether it can do its work, and what there is to say about that: the reason when it cannot."""

    def status(self) -> dict[str, Any]:
        """What it is at, for people and tests. Values that JSON does not know are shown as ``str`` shows them."""


class Waiting:
    """Keeps ``Health`` for a service with nothing to tell but what it waits for. Ready once ``done`` was called."""

    def __init__(self, instance: str, reason: str) -> None:
        self._instance = instance
        self._reason: str | None = reason

    def done(self) -> None:
        self._reason = None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        reason = self._reason
        return (True, {}) if reason is None else (False, {"reason": reason})

    def status(self) -> dict[str, Any]:
        return {"instance": self._instance}


class Answer(NamedTuple):
    code: int
    content_type: str
    body: bytes


def answer(path: str, health: Health) -> Answer | None:
    """Of one of PATHS; None for any other.

    Not ready, whatever ``health`` says, while a thread that follows something does not (``supervised.stuck``).
    """
    match path:
        case "/healthz":
            return _json(200, {"alive": True})
        case "/readyz":
            ready, more = health.ready()
            if stuck := supervised.stuck():
                ready, more = False, {"reason": f"does not follow: {', '.join(stuck)}", "followers": stuck}
            return _json(200 if ready else 503, {"ready": ready, **more})
        case "/status":
            return _json(200, {**health.status(), "followers": supervised.followers()})
        case "/metrics":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest())
        case _:
            return None


def _json(code: int, content: dict[str, Any]) -> Answer:
    return Answer(code, "application/json", json.dumps(content, default=str).encode())
