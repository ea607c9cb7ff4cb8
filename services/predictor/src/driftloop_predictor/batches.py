"""One partition's requests on their way to inferences: buffered, cut into batches, decoded, scored, encoded."""

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.artifact.scoring import Scorer
from driftloop.contracts.arrow_codec import encode_table
from driftloop.contracts.headers import (
    ARROW,
    CONTENT_TYPE,
    WATERMARK,
    Headers,
    RequestRange,
    header,
    range_header,
    watermark,
    watermark_header,
)
from driftloop.contracts.rows import StreamSchema, inference_schema
from driftloop.errors import InvalidMessage
from driftloop.json_rows import RowDecoder
from driftloop.ports import Record

MAX_ROWS = 1000
MAX_BATCH_BYTES = 3 * 1024 * 1024  # of request values, so that the Arrow message fits with room to spare
MAX_MESSAGE_BYTES = 8 * 1024 * 1024 - 256 * 1024  # the topic takes 8 MiB, headers included
ARROW_ROW_BYTES = 64  # a guess at one row, to weigh an Arrow message whose rows are not counted yet


class Serving(NamedTuple):
    """The model that scores now; replaced as a whole, so one batch sees one version."""

    model: str
    version: int
    epoch: int  # of the champion alias
    digest: str  # of the manifest
    scorer: Scorer


class PartitionBuffer:
    """Requests of one partition that no range accounts for yet, in offset order. ``next_offset`` is where the next range starts."""

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self._records: deque[Record] = deque()
        self._weight = 0
        self._closed = 0  # records that end a batch, whatever its size
        self.bytes = 0
        self._oldest = 0.0
        self._end = next_offset

    def __len__(self) -> int:
        return len(self._records)

    def take(self, records: Iterable[Record], now: float) -> None:
        """Those not held or accounted for already, so that taking them twice is harmless."""
        if not self._records:
            self._oldest = now
        for record in records:
            if record.offset >= self._end:
                self._end = record.offset + 1
                self._count(record, 1)
                self._records.append(record)

    def due(self, now: float, max_age_seconds: float) -> bool:
        if not self._records:
            return False
        full = self._weight >= MAX_ROWS or self.bytes >= MAX_BATCH_BYTES or self._closed > 0
        return full or now - self._oldest >= max_age_seconds

    def cut(self, now: float) -> list[Record]:
        """The next batch, taken out. A watermark ends it."""
        batch: list[Record] = []
        weight = size = 0
        while self._records:
            record = self._records[0]
            weight += _weight(record)
            size += len(record.value or b"")
            if batch and (weight > MAX_ROWS or size > MAX_BATCH_BYTES):
                break
            batch.append(self._records.popleft())
            self._count(record, -1)
            if _ends_batch(record):
                break
        self._oldest = now
        return batch

    def put_back(self, records: Sequence[Record]) -> None:
        """The tail of a batch that was too large for one message."""
        for record in reversed(records):
            self._records.appendleft(record)
            self._count(record, 1)

    def _count(self, record: Record, sign: int) -> None:
        self._weight += sign * _weight(record)
        self._closed += sign * _ends_batch(record)
        self.bytes += sign * len(record.value or b"")


class Accounted(NamedTuple):
    """A batch as it goes to ``inferences``, and the requests in it that go to quarantine."""

    value: bytes
    headers: Headers
    end: int
    rows: int
    unknown_field_rows: int
    rejected: list[tuple[Record, str]]
    newest: datetime | None  # event time
    watermark: datetime | None


class TooLarge(Exception):
    """The scored rows of a batch do not fit into one message: account for a part of it."""


class Accountant:
    """Makes a batch of requests one message that says which offsets it accounts for."""

    def __init__(self, schema: StreamSchema, topic_id: str) -> None:
        self.topic_id = topic_id
        self._decoder = RowDecoder(schema)
        self._schema = inference_schema(schema)

    def account(self, batch: Sequence[Record], start: int, serving: Serving | None, scored_at: datetime) -> Accounted:
        """``start`` is where the partition's previous range ended. Raises TooLarge, never for a single request."""
        rejected: list[tuple[Record, str]] = []
        tables: list[pa.Table] = []
        offsets: list[int] = []
        unknown = 0
        mark, with_rows = _split_watermark(batch, rejected)
        for arrow, run in itertools.groupby(with_rows, is_arrow):
            records = list(run)
            if arrow:
                for record in records:
                    try:
                        table = self._decoder.decode_arrow(record.value, record.key)
                    except InvalidMessage as exc:
                        rejected.append((record, str(exc)))
                        continue
                    tables.append(table)
                    offsets += [record.offset] * table.num_rows
            else:
                decoded = self._decoder.decode([r.value for r in records], [r.key for r in records])
                tables.append(decoded.rows)
                offsets += [records[i].offset for i in decoded.accepted]
                rejected += [(records[i], reason) for i, reason in decoded.rejected]
                unknown += decoded.unknown_field_rows
        rows = pa.concat_tables(tables).combine_chunks() if tables else self._decoder.schema.empty_table()
        value = encode_table(scored(rows, self._schema, serving, scored_at, pa.array(offsets, pa.int64())))
        if len(value) > MAX_MESSAGE_BYTES:
            if len(batch) > 1:
                raise TooLarge
            rejected = [
                (batch[0], f"its {rows.num_rows} rows would make an inferences message of {len(value)} bytes; send fewer at a time")
            ]
            rows, mark = rows.slice(0, 0), None
            value = encode_table(scored(rows, self._schema, serving, scored_at, pa.array([], pa.int64())))
        end = batch[-1].offset + 1
        names = tuple(sorted(record.offset for record, _ in rejected))
        accounts_for = RequestRange(topic_id=self.topic_id, partition=batch[0].partition, start=start, end=end, quarantined=names)
        headers: Headers = ((CONTENT_TYPE, ARROW.encode()), range_header(accounts_for))
        if mark is not None:
            headers = (*headers, watermark_header(mark))
        newest = pc.max(rows.column("event_time")).as_py() if rows.num_rows else None
        return Accounted(value, headers, end, rows.num_rows, unknown, rejected, newest, mark)


def scored(rows: pa.Table, schema: pa.Schema, serving: Serving | None, at: datetime, request_offsets: pa.Array | None) -> pa.Table:
    """Request rows with the columns of ``inference_schema``; null predictions without a model."""
    n = rows.num_rows
    if serving is None or not n:
        prediction, score = pa.nulls(n, schema.field("prediction").type), pa.nulls(n, pa.float64())
    else:
        prediction, score = serving.scorer.score(rows)
    version = pa.nulls(n, pa.int64()) if serving is None else pa.repeat(pa.scalar(serving.version, pa.int64()), n)
    scored_at = pa.repeat(pa.scalar(at, schema.field("scored_at").type), n)
    offsets = pa.nulls(n, pa.int64()) if request_offsets is None else request_offsets
    return pa.Table.from_arrays([*rows.columns, prediction, score, version, scored_at, offsets], schema=schema)


def is_arrow(record: Record) -> bool:
    content_type = header(record.headers, CONTENT_TYPE) if record.headers else None
    return content_type is not None and content_type.partition(b";")[0].strip().lower() == ARROW.encode()


def _split_watermark(batch: Sequence[Record], rejected: list[tuple[Record, str]]) -> tuple[datetime | None, Sequence[Record]]:
    """The watermark that ends the batch, and the messages that hold rows."""
    last = batch[-1]
    if not _ends_batch(last):
        return None, batch
    try:
        mark = watermark(last.headers)
    except InvalidMessage as exc:
        rejected.append((last, f"header {WATERMARK}: {exc}"))
        return None, batch[:-1]
    return mark, batch if last.value else batch[:-1]


def _ends_batch(record: Record) -> bool:
    return bool(record.headers) and header(record.headers, WATERMARK) is not None


def _weight(record: Record) -> int:
    """Rows, or for an Arrow message what its size lets expect."""
    return 1 if not record.headers or not is_arrow(record) else max(1, len(record.value or b"") // ARROW_ROW_BYTES)
