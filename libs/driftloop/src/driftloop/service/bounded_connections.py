"""Connections of an HTTP server within bounds: how many there are, and how long one may take to say what it wants."""

import asyncio
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

from driftloop import metrics

MAX_CONNECTIONS = 512
HEAD_SECONDS = 10.0  # from a connection, or from the first byte of a further request, to the end of the request's head
ANSWER_SECONDS = 60.0  # from there until the caller has taken the answer

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedConnections(H11Protocol):
    """Give this to ``uvicorn.Config(http=...)``: uvicorn itself waits for a request for ever, on any number of connections.

    A connection whose request or answer does not end in time is closed. When there are too many, a new one takes the place of the
    one that has been without a request for longest; while all have one, it is answered 503.
    """

    _since = 0.0
    _timer: asyncio.TimerHandle | None = None
    _answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = time.monotonic()
        self._watch(HEAD_SECONDS)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            self._watch(HEAD_SECONDS)
        super().data_received(data)
        self._watch_the_answer()

    def on_response_complete(self) -> None:
        self._answering = False
        self._rest()
        super().on_response_complete()  # which may begin with a request that came while this one was answered
        self._watch_the_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    @property
    def without_a_request(self) -> bool:
        """Nothing is being answered here; some of a request may have come."""
        return self.cycle is None or self.cycle.response_complete

    def _watch_the_answer(self) -> None:
        if not self.without_a_request and not self._answering:
            self._answering = True
            self._rest()
            self._watch(ANSWER_SECONDS)

    def _watch(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._hang_up)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        metrics.HTTP_CLOSED.labels("slow").inc()
        self.transport.abort()

    def _make_room(self) -> None:
        metrics.HTTP_CLOSED.labels("full").inc()
        others = [other for other in self.connections if isinstance(other, BoundedConnections) and other is not self]
        idle = min((other for other in others if other.without_a_request), key=lambda other: other._since, default=None)
        if idle is not None:
            idle.transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()
