"""How records become the contents of a buffer; one way for inferences, one for labels."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from driftloop import metrics
from driftloop.contracts import topics
from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.headers import RequestRange, watermark
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import LATEST
from driftloop.contracts.windows import CLOCK_SKEW
from driftloop.errors import GapError, InvalidMessage
from driftloop.lake.cursors import Span, request_app_id, spans_of
from driftloop.lake.label_times import capped
from driftloop.ports import Clock, Record
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder, accounted_range
from driftloop.rows.labels import LabelDecoder, Labels
from driftloop.rows.request_ranges import accepted
from driftloop.rows.schemas import TIME, inference_schema
from driftloop.service.accepted_gaps import WAY_ON
from driftloop_ingest.buffer import Buffer

_JSON_AT_A_TIME = 1000
_LAST_MS = int(LATEST.timestamp()) * 1000
Cursor = Callable[[str], int | None]  # the lake's, by app id


class Requests(Protocol):
    """What may be asked about the requests that the inferences account for."""

    def check_end(self, claimed: RequestRange) -> None:
        """Raises InvalidMessage for a range that goes beyond the requests, as ``request_ranges.check_end``; TransientError."""

    def beginning(self, topic_id: str, partition: int) -> int | None:
        """The first offset that the topic still holds; None for another incarnation of it, or a partition that it does not have.
        Raises TransientError."""

    def gaps(self) -> Sequence[AcceptedGap]:
        """Requests that were given up until now. Raises TransientError."""


class _Unknown:
    """Keeps ``Requests`` where nothing can be asked."""

    def check_end(self, claimed: RequestRange) -> None: ...

    def beginning(self, topic_id: str, partition: int) -> int | None:
        return None

    def gaps(self) -> Sequence[AcceptedGap]:
        return ()


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
        requests: Requests | None = None,
        topic: str | None = None,
    ) -> None:
        """``ahead``: how far a watermark may lie beyond the clock to be believed; None: however far.

        ``stored``: the table's columns, but for partition and offset; by default the schema's. ``newer`` is called for rows
        with features that it does not have; it raises TransientError if they are of a newer project. ``topic``: of the
        requests; by default the stream's own.
        """
        self._decoder, self._newer = InferenceDecoder(schema, inference_schema(schema) if stored is None else stored), newer
        self._topic = topic or topics.requests(schema.stream)
        self._requests = requests or _Unknown()
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
            if claimed is not None:
                self._requests.check_end(claimed)
        except InvalidMessage as exc:
            if isinstance(exc, UnknownFeatures):
                self._newer()
            self.reject(record, str(exc), buffer, cursor)
            return False
        if claimed is not None:
            start = self._account(claimed, buffer, cursor, spans_of(sorted(claimed.quarantined)))
            if rows is not None and start > claimed.start:
                rows = rows.filter(pc.greater_equal(rows.column("request_offset"), start))
        if rows is not None:
            metrics.ROWS.labels(record.topic).inc(rows.num_rows)
            buffer.add(rows, record.offset)
            buffer.promise_from(rows.column("event_time"), self._lateness, self._clock.now())
        if mark is not None and (self._ahead is None or mark <= self._clock.now() + self._ahead):
            buffer.promise(mark)  # else of a predictor of before, which passed on what a wrong clock had promised
        return mark is not None

    def _account(self, claimed: RequestRange, buffer: Buffer, cursor: Cursor, quarantined: Sequence[Span]) -> int:
        """The first request of the message that is new."""
        known = buffer.request_cursor(claimed.topic_id)
        if known is None:
            known = cursor(request_app_id(claimed.topic_id, claimed.partition))
        start, end = self._new(claimed, known)
        fresh = tuple(Span(max(q.start, start), min(q.end, end)) for q in quarantined if q.start < end and q.end > start)
        buffer.account(claimed, self._topic, start, end, first=known is None, quarantined=fresh)
        return start

    def _new(self, claimed: RequestRange, known: int | None) -> tuple[int, int]:
        """The requests that are new. Those that were given up are asked for at a gap and not before: somebody may just have done it."""
        beginning = self._requests.beginning(claimed.topic_id, claimed.partition) if known is None else None
        try:
            return accepted(claimed, known, beginning=beginning)
        except GapError:
            gaps = self._requests.gaps()
        try:
            return accepted(claimed, known, beginning=beginning, gaps=gaps)
        except GapError as exc:
            raise GapError(f"{exc}; {WAY_ON}") from exc

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        """The whole message goes to quarantine. The requests that it accounts for are counted as quarantined, or the next
        message would seem to leave a gap."""
        claimed = accounted_range(record)
        if claimed is not None:
            try:
                self._requests.check_end(claimed)
            except InvalidMessage:
                claimed = None
        if claimed is not None:
            self._account(claimed, buffer, cursor, [Span(claimed.start, claimed.end)])
        metrics.QUARANTINED.labels(record.topic).inc()
        buffer.reject(record, reason)


class LabelIntake:
    """Takes labels as they come; only the join knows whether their event exists."""

    def __init__(
        self,
        schema: StreamSchema,
        lateness: timedelta,
        clock: Clock,
        *,
        ahead: timedelta | None = CLOCK_SKEW,
        decoder: Labels | None = None,
    ) -> None:
        """``ahead``: how far a watermark may lie beyond the clock; None: however far. ``decoder``: of a topic that is not ours."""
        self._stream, self._decoder = schema.stream, decoder or LabelDecoder(schema)
        self._lateness, self._clock, self._ahead = lateness, clock, ahead

    def few(self, records: Sequence[Record]) -> int:
        first = records[:_JSON_AT_A_TIME]
        singles = next((n for n, record in enumerate(first) if self._decoder.is_table(record)), len(first))
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
        rows = self._dated(decoded.rows, decoded.offsets, with_rows)
        buffer.add(rows, decoded.offsets)
        buffer.promise_from(rows.column("label_time"), self._lateness, self._clock.now())
        for record, reason in sorted([*rejected, *decoded.rejected], key=lambda pair: pair[0].offset):
            self.reject(record, reason, buffer, cursor)
        metrics.ROWS.labels(buffer.tp.topic).inc(decoded.rows.num_rows)
        for record in records:
            buffer.passed(record)
        return flush

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        metrics.QUARANTINED.labels(record.topic).inc()
        buffer.reject(record, reason)

    def _dated(self, rows: pa.Table, offsets: Sequence[int], records: Sequence[Record]) -> pa.Table:
        """No label became known after its message had reached the broker (``lake.label_times``)."""
        sent = {record.offset: record.timestamp_ms for record in records}
        sent_ms = pa.array([ms if 0 <= (ms := sent[offset]) <= _LAST_MS else None for offset in offsets], pa.int64())
        times = pa.chunked_array([pc.multiply(sent_ms, 1000).cast(TIME)])
        before = rows.column("label_time")
        after = capped(before, times)
        late = pc.sum(pc.not_equal(before, after)).as_py() or 0
        if late:
            metrics.LABELS_DATED_AHEAD.labels(self._stream).inc(late)
        return rows.set_column(rows.schema.get_field_index("label_time"), rows.schema.field("label_time"), after)
