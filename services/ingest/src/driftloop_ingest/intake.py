"""How records become the contents of a buffer; one way for inferences, one for labels."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from driftloop import metrics
from driftloop.contracts import topics
from driftloop.contracts.headers import RequestRange, is_arrow, watermark
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.windows import CLOCK_SKEW
from driftloop.errors import InvalidMessage
from driftloop.lake.cursors import request_app_id
from driftloop.ports import Clock, Record
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder, claimed_range
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.request_ranges import accepted
from driftloop.rows.schemas import inference_schema
from driftloop_ingest.buffer import Buffer

_JSON_AT_A_TIME = 1000
Cursor = Callable[[str], int | None]  # the lake's, by app id


class Intake(Protocol):
    """Takes records a few at a time, so that a flush can come between."""

    def few(self, records: Sequence[Record]) -> int:
        """How many of the first records to take next, at least one."""

    def take(self, records: Sequence[Record], buffer: Buffer, cursor: Cursor) -> bool:
        """Add records to the buffer; true when one carried a watermark. Raises GapError, with nothing of the record taken."""

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        """The record goes to quarantine; what it accounts for counts as quarantined."""


class InferenceIntake:
    """Trims what the lake has, stops at a gap, and accounts for every request."""

    def __init__(
        self,
        schema: StreamSchema,
        lateness: timedelta,
        clock: Clock,
        *,
        ahead: timedelta | None = CLOCK_SKEW,
        stored: pa.Schema | None = None,
        newer: Callable[[], None] = lambda: None,
    ) -> None:
        """``ahead``: how far a watermark may lie beyond the clock to be believed; None: however far.

        ``stored``: the table's columns, but for partition and offset; by default the schema's. ``newer`` is called for rows
        with features that it does not have; it raises TransientError if they are of a newer project.
        """
        self._decoder, self._newer = InferenceDecoder(schema, inference_schema(schema) if stored is None else stored), newer
        self._requests = topics.requests(schema.stream)
        self._lateness, self._clock, self._ahead = lateness, clock, ahead

    def few(self, records: Sequence[Record]) -> int:
        return 1  # each may hold thousands of rows

    def take(self, records: Sequence[Record], buffer: Buffer, cursor: Cursor) -> bool:
        flush = False
        for record in records:
            flush |= self._take(record, buffer, cursor)
            buffer.passed(record)
        return flush

    def _take(self, record: Record, buffer: Buffer, cursor: Cursor) -> bool:
        try:
            rows, claimed, mark = self._decoder.decode(record)
        except InvalidMessage as exc:
            if isinstance(exc, UnknownFeatures):
                self._newer()
            self.reject(record, str(exc), buffer, cursor)
            return False
        if claimed is not None:
            start = self._account(claimed, buffer, cursor, claimed.quarantined)
            if rows is not None and start > claimed.start:
                rows = rows.filter(pc.greater_equal(rows.column("request_offset"), start))
        if rows is not None:
            metrics.ROWS.labels(record.topic).inc(rows.num_rows)
            buffer.add(rows, record.offset)
            buffer.promise_from(rows.column("event_time"), self._lateness, self._clock.now())
        if mark is not None and (self._ahead is None or mark <= self._clock.now() + self._ahead):
            buffer.promise(mark)  # else of a predictor of before, which passed on what a wrong clock had promised
        return mark is not None

    def _account(self, claimed: RequestRange, buffer: Buffer, cursor: Cursor, quarantined: Sequence[int]) -> int:
        """The first request of the message that is new."""
        known = buffer.request_cursor(claimed.topic_id)
        if known is None:
            known = cursor(request_app_id(claimed.topic_id, claimed.partition))
        start, end = accepted(claimed, known)
        fresh = tuple(offset for offset in quarantined if start <= offset < end)
        buffer.account(claimed, self._requests, start, end, first=known is None, quarantined=fresh)
        return start

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        """The whole message goes to quarantine. The requests that it accounts for are counted as quarantined, or the next
        message would seem to leave a gap."""
        try:
            claimed = claimed_range(record)
        except InvalidMessage:
            claimed = None
        if claimed is not None:
            self._account(claimed, buffer, cursor, range(claimed.start, claimed.end))
        metrics.QUARANTINED.labels(record.topic).inc()
        buffer.reject(record, reason)


class LabelIntake:
    """Takes labels as they come; only the join knows whether their event exists."""

    def __init__(self, schema: StreamSchema, lateness: timedelta, clock: Clock, *, ahead: timedelta | None = CLOCK_SKEW) -> None:
        """``ahead``: how far a watermark may lie beyond the clock; None: however far."""
        self._decoder = LabelDecoder(schema)
        self._lateness, self._clock, self._ahead = lateness, clock, ahead

    def few(self, records: Sequence[Record]) -> int:
        first = records[:_JSON_AT_A_TIME]
        singles = next((n for n, record in enumerate(first) if is_arrow(record.headers)), len(first))
        return max(1, singles)  # an Arrow message may hold many rows: alone

    def take(self, records: Sequence[Record], buffer: Buffer, cursor: Cursor) -> bool:
        flush = False
        with_rows, rejected = [], []
        latest = None if self._ahead is None else self._clock.now() + self._ahead
        for record in records:
            try:
                mark = watermark(record.headers, latest)
            except InvalidMessage as exc:
                rejected.append((record, str(exc)))
                continue
            if mark is not None:
                buffer.promise(mark)
                flush = True
            if record.value or mark is None:
                with_rows.append(record)
        decoded = self._decoder.decode_batch(with_rows)
        buffer.add(decoded.rows, decoded.offsets)
        buffer.promise_from(decoded.rows.column("label_time"), self._lateness, self._clock.now())
        for record, reason in sorted([*rejected, *decoded.rejected], key=lambda pair: pair[0].offset):
            self.reject(record, reason, buffer, cursor)
        metrics.ROWS.labels(buffer.tp.topic).inc(decoded.rows.num_rows)
        for record in records:
            buffer.passed(record)
        return flush

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        metrics.QUARANTINED.labels(record.topic).inc()
        buffer.reject(record, reason)
