"""Answers that say no, counted for all services alike: by status, never by path or caller, which strangers choose."""

from collections.abc import MutableMapping
from typing import Any

from driftloop import metrics
from driftloop.contracts.services import READY_PATH
from driftloop.service.http_guard import App, Receive, Scope, Send


def count_refusal(path: str, status: int) -> None:
    """Whether a service is ready is a question that may be answered with no: that is no refusal."""
    if status >= 400 and not (status == 503 and path == READY_PATH):
        metrics.REFUSED_CALLS.labels(str(status)).inc()


class CountedRefusals:
    """ASGI: counts what the application answers."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                count_refusal(scope["path"], message["status"])
            await send(message)

        await self._app(scope, receive, counted if scope["type"] == "http" else send)
