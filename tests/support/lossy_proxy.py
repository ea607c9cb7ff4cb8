"""A TCP proxy that forwards a request and loses the answer: the client cannot know what happened."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class LossyProxy:
    """Stands before one HTTP server. ``lost`` counts the answers that were dropped, ``held`` what a refusal stopped;
    ``seen`` has the first line of every request, ``sent`` and ``received`` the client's bytes."""

    def __init__(self, endpoint: str) -> None:
        url = urlsplit(endpoint)
        self._upstream = (url.hostname or "127.0.0.1", url.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wanted: list[bytes] = []
        self._awaited: list[bytes] = []
        self._then: Callable[[], None] | None = None
        self._left = 0
        self._refusing = self._refusing_next = False
        self._lock = threading.Lock()
        self.lost = self.held = self.sent = self.received = 0
        self.seen: list[str] = []

    def lose_answers(self, *parts: str, times: int) -> None:
        """The next ``times`` requests whose first line contains all ``parts`` are carried out; their answers never arrive."""
        with self._lock:
            self._wanted, self._left = [part.encode() for part in parts], times

    def refuse_after_loss(self) -> None:
        """After the next lost answer, as ``refuse``."""
        self._refusing_next = True

    def refuse(self) -> None:
        """Close every connection until ``recover``, an old one at its next request: a server that is not there."""
        self._refusing = True

    def before(self, *parts: str, then: Callable[[], None]) -> None:
        """The next request whose first line contains all ``parts`` is carried out after ``then`` has returned."""
        with self._lock:
            self._awaited, self._then = [part.encode() for part in parts], then

    def recover(self) -> None:
        self._refusing = self._refusing_next = False

    def _matches(self, data: bytes) -> bool:
        with self._lock:
            line = data.split(b"\r\n", 1)[0]
            if self._left and b" HTTP/1." in line and all(part in line for part in self._wanted):
                self._left -= 1
                return True
        return False

    def _happens_before(self, line: bytes) -> None:
        with self._lock:
            then = self._then if line.endswith(b" HTTP/1.1") and all(part in line for part in self._awaited) else None
            if then is not None:
                self._then = None
        if then is not None:
            then()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the end
                return
            if self._refusing:
                self.held += 1
                client.close()
                continue
            try:
                server = socket.create_connection(self._upstream, timeout=60)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            losing = threading.Event()
            threading.Thread(target=self._requests, args=(client, server, losing), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server, losing), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                if self._refusing:  # a client's pool keeps connections from before
                    self.held += 1
                    break
                line = data.split(b"\r\n", 1)[0]
                if line.endswith(b" HTTP/1.1"):
                    self.seen.append(line.decode())
                self._happens_before(line)
                self.sent += len(data)
                if self._matches(data):
                    losing.set()
                server.sendall(data)
        _close(client, server)

    def _answers(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if losing.is_set():
                    self.lost += 1
                    self._refusing = self._refusing_next
                    break
                self.received += len(data)
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def lossy_proxy(endpoint: str) -> Iterator[LossyProxy]:
    proxy = LossyProxy(endpoint)
    threading.Thread(target=proxy._serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy._listener.close()
