"""A store that answers every request nicely and keeps no promise: conditional puts always succeed, some areas are closed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from driftloop.settings import S3Settings

_EMPTY_LIST = b"<ListBucketResult><Name>driftloop</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>no</Message><Resource>/</Resource></Error>".encode()


@contextmanager
def careless_store(*, closed: tuple[str, ...] = ()) -> Iterator[S3Settings]:
    """``closed``: what may not be done, such as "PUT lake"."""
    deleted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, code: int, body: bytes = b"") -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(code)
            self.send_header("Content-Type", "application/xml")
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _closed(self) -> bool:
            path = self.path.replace("%2F", "/").replace("prefix=", "/")
            return any(self.command == way and f"/{area}/" in path for way, area in (c.split() for c in closed))

        def do_GET(self) -> None:
            if self._closed():
                self._answer(403, _error("AccessDenied"))
            elif "list-type" in self.path:
                self._answer(200, _EMPTY_LIST)
            else:
                self._answer(404, _error("NoSuchKey"))

        def do_PUT(self) -> None:
            self._answer(403, _error("AccessDenied")) if self._closed() else self._answer(200)

        def do_DELETE(self) -> None:
            deleted.append(self.path)
            self._answer(403, _error("AccessDenied")) if self._closed() else self._answer(204)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield S3Settings(endpoint=endpoint, bucket="driftloop", region="us-east-1", access_key="key", secret_key="secret")
    finally:
        server.shutdown()
        server.server_close()
