"""A line in the log for each call that may change something: who called from where, for what, and what came of it.

The registry's record holds what was changed; a call that is refused leaves none, so this line is all there is of it.
"""

import time
from collections.abc import MutableMapping
from typing import Any

from driftloop.service.http_guard import HARMLESS, App, Receive, Scope, Send
from driftloop.telemetry import get_logger

MAX_CHARACTERS = 200  # of what a caller wrote
NO_ANSWER = 0

log = get_logger(__name__)


class ToldCalls:
    """ASGI: ``http-call`` with method, path, status, address and, if the caller named one, the idempotency key."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in HARMLESS:
            await self._app(scope, receive, send)
            return
        status, began = NO_ANSWER, time.monotonic()

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            named = dict(scope["headers"]).get(b"idempotency-key")
            log.info(
                "http-call",
                method=scope["method"][:MAX_CHARACTERS],
                path=scope["path"][:MAX_CHARACTERS],
                status=status,
                client=scope["client"][0] if scope.get("client") else None,
                key=None if named is None else named.decode("latin-1")[:MAX_CHARACTERS],
                seconds=round(time.monotonic() - began, 3),
            )
