"""Refuses bodies that are too large before anything parses them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftloop_registry.responses import refusal

MAX_BODY_BYTES = 64 * 1024


class BodyLimit:
    """ASGI middleware: 413 for more than MAX_BODY_BYTES, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        body = b""
        more = not (announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES)
        if not more:
            await self._refuse(scope, receive, send)
            return
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the caller has gone
            body += message.get("body", b"")
            if len(body) > MAX_BODY_BYTES:
                await self._refuse(scope, receive, send)
                return
            more = message.get("more_body", False)
        await self._app(scope, _replay(body, receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = refusal(413, f"a body has at most {MAX_BODY_BYTES} bytes", "body")
        response.headers["Connection"] = "close"  # the rest of the body is not read
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def first_the_body() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first_the_body
