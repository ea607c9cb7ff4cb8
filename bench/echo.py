"""``python -m bench.echo PORT``: gives every body back; what the web server alone costs."""

import sys
import threading

from starlette.types import Receive, Scope, Send

from driftloop.service.http_server import HttpServer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """A bare ASGI application, without a framework."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """The predictor's own server, so that its options are the same."""
    HttpServer(echo, "127.0.0.1", int(sys.argv[1]), setting="PORT").start()
    threading.Event().wait()  # until it is killed


if __name__ == "__main__":
    main()
