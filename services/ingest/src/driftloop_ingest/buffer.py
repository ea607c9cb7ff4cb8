"""What one partition has brought since its last flush."""

import time
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.headers import RequestRange
from driftloop.contracts.windows import shifted
from driftloop.lake.cursors import Move, Span, app_id, request_app_id, spans_of
from driftloop.ports import Record, TopicPartition
from driftloop.service.quarantine import size_of

REJECTED_BYTES = 1024  # that a rejected message takes beside what it holds: a record, and the reason


class Cut(NamedTuple):
    """A partition's share of one flush."""

    rows: pa.Table | None
    moves: tuple[Move, ...]  # that of the topic first, then those of requests
    rejected: tuple[tuple[Record, str], ...]
    watermark: datetime | None


class Buffer:
    """Rows, rejected messages and how far both of a partition's cursors have moved. ``next`` is the offset to read on from."""

    def __init__(self, tp: TopicPartition, topic_id: str, start: int, *, first: bool) -> None:
        self.tp, self._topic_id = tp, topic_id
        self.next = start
        self._first = first
        self._reset()

    def _reset(self) -> None:
        self._start = self.next
        self.rows = self.bytes = 0
        self.since: float | None = None  # monotonic
        self.watermark: datetime | None = None
        self._parts: list[tuple[pa.Table, np.ndarray]] = []
        self._rejected: list[tuple[Record, str]] = []
        self._requests: dict[str, Move] = {}

    def passed(self, record: Record) -> None:
        """The record is accounted for: as rows, as rejected, or as a bare watermark."""
        self.next = record.offset + 1
        if self.since is None:
            self.since = time.monotonic()

    def passed_to(self, position: int) -> None:
        """Offsets below it that brought no record have none."""
        self.next = max(self.next, position)

    def add(self, rows: pa.Table, offsets: list[int] | int) -> None:
        """Rows with the offset of the message that each came in."""
        if rows.num_rows:
            self._parts.append((rows, np.full(rows.num_rows, offsets, np.int64)))
            self.rows += rows.num_rows
            self.bytes += rows.nbytes

    def reject(self, record: Record, reason: str) -> None:
        self._rejected.append((record, reason))
        self.bytes += size_of(record) + REJECTED_BYTES

    def promise(self, mark: datetime) -> None:
        """A watermark; it never falls."""
        self.watermark = mark if self.watermark is None else max(mark, self.watermark)

    def promise_from(self, times: pa.ChunkedArray, lateness: timedelta, now: datetime) -> None:
        """The watermark that rows imply: the highest time, but not one that is yet to come, minus the allowed lateness."""
        if len(times):
            self.promise(shifted(min(pc.max(times).as_py(), now), -lateness))

    def request_cursor(self, topic_id: str) -> int | None:
        """How far the requests of one topic id got in this flush; None when it has none of them yet."""
        move = self._requests.get(topic_id)
        return None if move is None else move.end

    def account(self, claimed: RequestRange, topic: str, start: int, end: int, *, first: bool, quarantined: tuple[Span, ...]) -> None:
        """Requests ``[start, end)`` are in the lake with this flush, or in quarantine."""
        before = self._requests.get(claimed.topic_id)
        self._requests[claimed.topic_id] = Move(
            cursor=request_app_id(claimed.topic_id, claimed.partition),
            topic=topic,
            topic_id=claimed.topic_id,
            partition=claimed.partition,
            start=before.start if before else start,
            end=end,
            first=before.first if before else first,
            quarantined=(*(before.quarantined if before else ()), *quarantined),
        )

    def cut(self) -> Cut | None:
        """Take everything out; None when nothing came since the last cut."""
        if self.next == self._start:
            return None
        partition = self.tp.partition
        offsets = [record.offset for record, _ in self._rejected]
        move = Move(
            cursor=app_id(self._topic_id, partition),
            topic=self.tp.topic,
            topic_id=self._topic_id,
            partition=partition,
            start=self._start,
            end=self.next,
            first=self._first,
            quarantined=spans_of(offsets),
        )
        requests = tuple(m for m in self._requests.values() if m.end > m.start or m.first)
        cut = Cut(self._table(), (move, *requests), tuple(self._rejected), self.watermark)
        self._first = False
        self._reset()
        return cut

    def _table(self) -> pa.Table | None:
        if not self._parts:
            return None
        rows = pa.concat_tables([part for part, _ in self._parts])
        partition = pa.array(np.full(rows.num_rows, self.tp.partition, np.int32))
        offset = pa.array(np.concatenate([offsets for _, offsets in self._parts]))
        rows = rows.append_column(pa.field("partition", pa.int32(), nullable=False), partition)
        return rows.append_column(pa.field("offset", pa.int64(), nullable=False), offset)
