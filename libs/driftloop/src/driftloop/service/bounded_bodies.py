"""Bodies of HTTP calls within bounds: of bytes, of time, and of bytes in all calls together."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from driftloop.service.http_guard import App, Receive, Refused, Scope, Send, answer

BODY_SECONDS = 10.0  # for all of a body
MAX_BYTES_IN_HAND = 64 * 1024 * 1024  # of bodies of all calls that are not answered yet


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.refused = Refused(status, reason)


class BoundedBodies:
    """ASGI: reads a body whole before the application sees the call, or refuses it.

    413 for more than ``max_body_bytes``, announced or not; 408 for one that has not come within BODY_SECONDS; 503 while the bodies
    in hand take MAX_BYTES_IN_HAND.
    """

    def __init__(self, app: App, max_body_bytes: int) -> None:
        self._app, self._most = app, max_body_bytes
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = _Body(self)
        try:
            whole = await self._read(body, scope, receive)
            if whole is not None:
                await self._app(scope, _replay(whole, receive), send)
        except _Refused as exc:
            await answer(send, exc.refused, close=True, field="body")
        finally:
            self._in_hand -= body.size

    async def _read(self, body: "_Body", scope: Scope, receive: Receive) -> bytes | None:
        """None: the caller has gone."""
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit():
            self._check(int(announced[:20]), 0)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    body.add(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            raise _Refused(408, f"the body has not come within {BODY_SECONDS:g} s") from None
        return bytes(body.data)

    def _check(self, size: int, mine: int) -> None:
        """``size``: of the body as far as it is known; ``mine``: what of it is in hand already."""
        if size > self._most:
            raise _Refused(413, f"a body has at most {self._most} bytes")
        if self._in_hand - mine + size > MAX_BYTES_IN_HAND:
            raise _Refused(503, "too many bodies are in hand: come again in a moment")


class _Body:
    def __init__(self, bounds: BoundedBodies) -> None:
        self._bounds, self.data, self.size = bounds, bytearray(), 0

    def add(self, piece: bytes) -> None:
        self._bounds._check(self.size + len(piece), self.size)
        self.data += piece
        self.size += len(piece)
        self._bounds._in_hand += len(piece)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def first_the_body() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first_the_body
