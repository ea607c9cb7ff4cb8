"""Callers over HTTP who mean no good, or do not know better: half a request, too many connections, another site's page."""

import contextlib
import socket
from collections.abc import Iterator

import httpx
from tests.support.waiting import wait_until

HALF_A_REQUEST = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Le"


@contextlib.contextmanager
def connections(port: int, count: int, sending: bytes = HALF_A_REQUEST) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this much and nothing more."""
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", port), 5))
            with contextlib.suppress(OSError):  # hung up on already
                held[-1].sendall(sending)
        yield held
    finally:
        for connection in held:
            connection.close()


def still_held(held: list[socket.socket]) -> int:
    """How many of them the server has not closed."""
    open_ = 0
    for connection in held:
        connection.setblocking(False)
        try:
            open_ += connection.recv(4096) != b""
        except BlockingIOError:
            open_ += 1
        except OSError:
            pass
    return open_


def all_hung_up(held: list[socket.socket], seconds: float = 30) -> None:
    wait_until(lambda: still_held(held) == 0, "all connections to be closed", seconds)


FOREIGN = {"Host": "evil.example:29010"}
FROM_A_PAGE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}


def statuses(client: httpx.Client, method: str, path: str, **arguments: object) -> tuple[int, int, int]:
    """As somebody who calls it by another's name, as another site's page, and as a program, which may change something, last."""
    headers = dict(arguments.pop("headers", {}))  # type: ignore[call-overload]
    return tuple(client.request(method, path, headers=headers | more, **arguments).status_code for more in (FOREIGN, FROM_A_PAGE, {}))  # type: ignore[return-value, arg-type]
