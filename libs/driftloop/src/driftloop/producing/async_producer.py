"""``driftloop.AsyncProducer``: the same for asyncio. The loop never waits: what may block runs in one thread, in the order of the calls."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from driftloop.errors import UserError
from driftloop.producing.messages import Delivered, Sent, SentRows
from driftloop.producing.producer import Producer

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class AsyncProducer:
    """``async with AsyncProducer("taxi") as producer``, with the arguments of ``Producer``; connects on entry, flushes on leaving.

    ``await asyncio.wrap_future(sent.delivery)`` waits for the delivery of one row. A call that is cancelled before its turn sends
    nothing; later it may have been sent. Raises as ``Producer`` does.
    """

    def __init__(self, stream: str | None = None, **settings: Any) -> None:
        self._make = partial(Producer, stream, **settings)
        self._producer: Producer | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def send(
        self, row: Mapping[str, Any], *, event_id: str | None = None, event_time: datetime | None = None, entity: str | None = None
    ) -> Sent:
        """Returns once the row was taken; waits while there is no room."""
        return await self._in_turn(partial(self._opened.send, row, event_id=event_id, event_time=event_time, entity=entity))

    async def send_many(self, rows: "pa.Table | pa.RecordBatch | Iterable[Mapping[str, Any]]") -> SentRows:
        return await self._in_turn(partial(self._opened.send_many, rows))

    async def label(self, event_id: str, value: Any, *, event_time: datetime, label_time: datetime | None = None) -> Sent:
        return await self._in_turn(partial(self._opened.label, event_id, value, event_time=event_time, label_time=label_time))

    async def watermark(self, time: datetime, *, of: Literal["requests", "labels"] | None = None) -> None:
        """Rows that are sent meanwhile wait their turn, and so come after it."""
        await self._in_turn(partial(self._opened.watermark, time, of=of))

    async def flush(self, timeout_seconds: float | None = None) -> Delivered:
        """Of what was sent before; rows that are sent meanwhile do not wait for it."""
        await self._in_turn(lambda: None)
        return await asyncio.to_thread(self._opened.flush, timeout_seconds)

    async def close(self, timeout_seconds: float | None = None) -> Delivered:
        report = await asyncio.to_thread(self._opened.close, timeout_seconds)
        self._end_thread()
        return report

    async def __aenter__(self) -> Self:
        self._producer = await asyncio.to_thread(self._make)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="driftloop-producer")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            await asyncio.to_thread(self._opened.__exit__, kind, error, trace)
        finally:
            self._end_thread()

    @property
    def _opened(self) -> Producer:
        if self._producer is None:
            raise UserError("this producer is not open yet: async with AsyncProducer(…) as producer")
        return self._producer

    async def _in_turn(self, call: Callable[[], T]) -> T:
        if self._thread is None:
            raise UserError("this producer is closed: nothing was sent; make another")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _end_thread(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None
