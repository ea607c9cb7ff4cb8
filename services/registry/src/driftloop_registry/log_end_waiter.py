"""Where the registry log ends now: what a read waits for, so that it sees every command acknowledged before it."""

import asyncio
import queue
import threading
from collections.abc import Callable

from driftloop.errors import TransientError

_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[int]"]


class LogEndWaiter:
    """Asks the follower in a thread; readers that come while it asks share the next question."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-end", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._queue.put(None)

    async def offset(self) -> int:
        """The end as of now or later. Raises TransientError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._queue.put((loop, future))
        return await future

    def _run(self) -> None:
        while True:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            try:
                answer: int | TransientError = self._ask()
            except TransientError as exc:
                answer = exc
            for item in waiting:
                if item is None:
                    return
                loop, future = item
                loop.call_soon_threadsafe(_settle, future, answer)


def _settle(future: "asyncio.Future[int]", answer: int | TransientError) -> None:
    if future.done():  # the caller gave up
        return
    if isinstance(answer, TransientError):
        future.set_exception(answer)
    else:
        future.set_result(answer)
