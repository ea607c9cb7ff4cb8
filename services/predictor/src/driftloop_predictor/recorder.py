"""Rows scored by HTTP on their way to ``inferences``: through a bounded buffer, in the background."""

import contextlib
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pyarrow as pa
import pyarrow.compute as pc

from driftloop import metrics
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, Headers, RequestPosition, position_header
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import MessageProducer
from driftloop.rows.arrow_stream import encode_table
from driftloop.telemetry import get_logger

GATHER_SECONDS = 0.02
MAX_ROWS = 1000
MAX_BYTES = 2 * 1024 * 1024  # of columns in one message; uneven rows may take more, and the topic has room
RETRY_SECONDS = 1.0

log = get_logger(__name__)


class BufferFull(Exception):
    """The rows were not taken: recording cannot keep up, or the broker is away."""


class Recorder:
    """Records rows at least once; readers drop repeats by event id. These messages account for no request offsets, but say
    where their partition's requests have got to: a stream that is served by HTTP alone would hide that behind years of them."""

    def __init__(
        self,
        topic: str,
        *,
        connect: Callable[[], MessageProducer],
        partitions: Callable[[], int],
        position: Callable[[int], RequestPosition | None] = lambda partition: None,
        max_rows: int = 10_000,
    ) -> None:
        """``position``: up to where this process knows a partition's requests to be accounted for, if it does."""
        self._topic, self._connect, self._partitions, self._max_rows = topic, connect, partitions, max_rows
        self._position = position
        self._waiting: deque[tuple[pa.Table, Future[None]]] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._producer: MessageProducer | None = None
        self._thread = threading.Thread(target=self._run, name="http-recorder", daemon=True)

    def start(self) -> "Recorder":
        self._thread.start()
        return self

    def stop(self, timeout_seconds: float) -> None:
        """Record what is waiting, if the broker takes it in time; the rest counts as dropped."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout_seconds)
        with self._changed:
            metrics.HTTP_DROPPED.inc(self._rows)

    def record(self, rows: pa.Table) -> "Future[None]":
        """Take rows of ``inference_schema`` up. The future is done once the broker holds them. Raises BufferFull."""
        with self._changed:
            if self._rows + rows.num_rows > self._max_rows or self._stopping:
                metrics.HTTP_DROPPED.inc(rows.num_rows)
                raise BufferFull(f"{self._rows} rows are waiting to be recorded")
            future: Future[None] = Future()
            self._waiting.append((rows, future))
            self._rows += rows.num_rows
            self._changed.notify_all()
        return future

    @property
    def waiting_rows(self) -> int:
        return self._rows

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    return
            if not self._stopping:
                time.sleep(GATHER_SECONDS)  # one message for the rows of many calls
            taken = self._next()
            try:
                self._record(taken)
            except Exception as exc:  # noqa: BLE001  nobody foresaw it, so it may be these rows: the next ones must not wait behind them
                self._drop(taken, exc)

    def _next(self) -> list[tuple[pa.Table, "Future[None]"]]:
        taken: list[tuple[pa.Table, Future[None]]] = []
        with self._changed:
            rows = size = 0
            while self._waiting and rows < MAX_ROWS and size < MAX_BYTES:
                taken.append(self._waiting.popleft())
                rows += taken[-1][0].num_rows
                size += taken[-1][0].nbytes
        return taken

    def _record(self, taken: list[tuple[pa.Table, "Future[None]"]]) -> None:
        table = pa.concat_tables([rows for rows, _ in taken]).combine_chunks()
        while True:
            try:
                self._send(table)
                break
            except (TransientError, ConfigurationError) as exc:
                log.warning("http-rows-not-recorded-yet", reason=str(exc), rows=table.num_rows)
                metrics.RETRIES.labels("http-record").inc()
                self._disconnect()
                time.sleep(RETRY_SECONDS)
        with self._changed:
            self._rows -= table.num_rows
        for _, future in taken:
            if future.set_running_or_notify_cancel():  # False: its caller has given up waiting
                future.set_result(None)

    def _drop(self, taken: list[tuple[pa.Table, "Future[None]"]], why: Exception) -> None:
        rows = sum(table.num_rows for table, _ in taken)
        log.error("http-rows-dropped", exc_info=True, rows=rows)
        metrics.HTTP_DROPPED.inc(rows)
        self._disconnect()
        with self._changed:
            self._rows -= rows
        for _, future in taken:
            if future.set_running_or_notify_cancel():
                future.set_exception(why)

    def _send(self, table: pa.Table) -> None:
        if self._producer is None:
            self._producer = self._connect()
        n = self._partitions()
        owners = pa.array([zlib.crc32(entity.encode()) % n for entity in table.column("entity").to_pylist()])
        for partition in owners.unique().to_pylist():
            rows = table.filter(pc.equal(owners, partition)).combine_chunks()
            headers: Headers = ((CONTENT_TYPE, ARROW.encode()),)
            place = self._position(partition)
            if place is not None:
                headers = (*headers, position_header(place))
            for part in _parts(rows):
                self._producer.send(self._topic, encode_table(part), partition=partition, headers=headers)
        self._producer.flush()

    def _disconnect(self) -> None:
        """A producer remembers a failure for good."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(TransientError):
                producer.close()


def _parts(rows: pa.Table) -> Iterator[pa.Table]:
    """Pieces of at most MAX_BYTES, or of one row."""
    step = max(1, min(rows.num_rows, rows.num_rows * MAX_BYTES // max(1, rows.nbytes)))
    for start in range(0, rows.num_rows, step):
        yield rows.slice(start, step).combine_chunks()
