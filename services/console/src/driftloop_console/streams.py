"""Pages that tell of changes by themselves, as server-sent events: a bounded number of them, each for a bounded time.

A stream ends by itself before HTTP would hang up, and a browser then asks anew; it ends within a moment when the process does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

AT_ONCE = 16
STREAM_SECONDS = 45.0  # less than HTTP gives an answer
LOOK_SECONDS = 4.0
HEARTBEAT_SECONDS = 12.0  # without news a line says that somebody is there
AGAIN_MS = 2_000  # what a browser waits before it asks anew
STEP_SECONDS = 0.25  # within which the end of the process is seen


class Told(NamedTuple):
    """``state``: by which a change is known; ``data``: what is sent."""

    state: bytes
    data: dict[str, Any]


class Streams:
    """``stopping``: whether the process is about to end."""

    def __init__(
        self,
        stopping: Callable[[], bool] = lambda: False,
        *,
        at_once: int = AT_ONCE,
        seconds: float = STREAM_SECONDS,
        look: float = LOOK_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._stopping, self._at_once = stopping, at_once
        self._seconds, self._look, self._heartbeat = seconds, look, heartbeat
        self.open = 0  # touched in the event loop alone

    def answer(self, told: Callable[[], Told]) -> Response:
        """``told`` is asked in a thread every few seconds, and sent when it says something else than before."""
        if self.open >= self._at_once:
            says = f"{self._at_once} pages are being kept up to date: close one, or load this one again by hand"
            return JSONResponse({"error": says}, 503, {"retry-after": "10"})
        headers = {"x-accel-buffering": "no"}  # of a proxy that would collect it
        return StreamingResponse(self._events(told), media_type="text/event-stream", headers=headers)

    async def _events(self, told: Callable[[], Told]) -> AsyncIterator[bytes]:
        if self.open >= self._at_once:  # another has begun since
            return
        self.open += 1
        try:
            end, state, said = time.monotonic() + self._seconds, b"", time.monotonic()
            yield f"retry: {AGAIN_MS}\n\n".encode()
            while not self._over(end):
                found = await run_in_threadpool(told)
                now = time.monotonic()
                if found.state != state:
                    state, said = found.state, now
                    yield b"event: now\ndata: " + msgspec.json.encode(found.data) + b"\n\n"
                elif now - said >= self._heartbeat:
                    said = now
                    yield b": nothing new\n\n"
                await self._rest(min(now + self._look, end))
        finally:
            self.open -= 1

    async def _rest(self, until: float) -> None:
        while time.monotonic() < until and not self._stopping():
            await asyncio.sleep(min(STEP_SECONDS, max(0.0, until - time.monotonic())))

    def _over(self, end: float) -> bool:
        return self._stopping() or time.monotonic() >= end
