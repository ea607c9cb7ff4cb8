"""Waiting in an event loop for the fold, which runs in a thread."""

import asyncio
import threading

from driftloop.registry.fold import RegistryReader, RegistryState

_Waiter = tuple[int, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Folded:
    """Wakes coroutines once the fold has reached the offset that they wait for."""

    def __init__(self, reader: RegistryReader) -> None:
        self._reader = reader
        self._waiters: list[_Waiter] = []
        self._lock = threading.Lock()

    async def reached(self, next_offset: int) -> RegistryState:
        """The state once all records below ``next_offset`` are folded; the caller sets the deadline."""
        if self._reader.state().next_offset < next_offset:
            loop = asyncio.get_running_loop()
            waiter = (next_offset, loop, loop.create_future())
            with self._lock:
                self._waiters.append(waiter)
            self.on_state(self._reader.state())  # it may have come in between
            try:
                await waiter[2]
            finally:
                with self._lock:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)
        return self._reader.state()

    def on_state(self, state: RegistryState) -> None:
        """Subscribe this to the follower."""
        if not self._waiters:
            return
        with self._lock:
            ready = [waiter for waiter in self._waiters if waiter[0] <= state.next_offset]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > state.next_offset]
        for _, loop, future in ready:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
