"""Where the registry log ends now: what a read waits for, so that it sees every command acknowledged before it."""

import asyncio
import queue
from collections.abc import Callable

from driftloop.errors import TransientError
from driftloop.supervised import SupervisedThread

WAIT_SECONDS = 5.0  # for a question; then the thread shows that it is still there
PAUSE_SECONDS = 0.2  # after an answer that nobody foresaw, at most: readers wait meanwhile

_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[int]"]


class LogEndWaiter:
    """Asks the follower in a thread; readers that come while it asks share the next question."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.thread = SupervisedThread("log-end", self._step, longest_pause_seconds=PAUSE_SECONDS)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self._queue.put(None)
        self.thread.stop()

    async def offset(self) -> int:
        """The end as of now or later. Raises what asking raises, TransientError above all."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._queue.put((loop, future))
        return await future

    def _step(self) -> None:
        """One question of the broker, for all who wait by then."""
        try:
            waiting = [self._queue.get(timeout=WAIT_SECONDS)]
        except queue.Empty:
            return
        while not self._queue.empty():
            waiting.append(self._queue.get())
        try:
            answer: int | Exception = self._ask()
        except Exception as exc:  # noqa: BLE001  whatever it is, those who wait must hear of it, and the next may ask again
            answer = exc
        for item in filter(None, waiting):
            loop, future = item
            loop.call_soon_threadsafe(_settle, future, answer)
        if isinstance(answer, Exception) and not isinstance(answer, TransientError):  # that the broker is away is an answer
            raise answer


def _settle(future: "asyncio.Future[int]", answer: int | Exception) -> None:
    if future.done():  # the caller gave up
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
