"""Calls in hand within a bound: whoever comes while there are too many is told so at once, and to come again."""

from driftloop import metrics
from driftloop.service.health import PATHS
from driftloop.service.http_guard import App, Receive, Refused, Scope, Send, answer

MAX_CALLS = 128  # of all connections together; health is told however many there are

_BUSY = Refused(503, "too many calls are in hand: come again in a moment")


class BoundedCalls:
    """ASGI: 503 for a call beyond MAX_CALLS, before anything of its body is read."""

    def __init__(self, app: App) -> None:
        self._app, self._in_hand = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PATHS:
            await self._app(scope, receive, send)
            return
        if self._in_hand >= MAX_CALLS:
            metrics.HTTP_CLOSED.labels("busy").inc()
            await answer(send, _BUSY, close=True)
            return
        self._in_hand += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_hand -= 1
