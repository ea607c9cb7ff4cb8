"""A batch of requests on its way to inferences: decoded, scored, and encoded as the message that accounts for it."""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.artifact.scoring import Scored, Scorer
from driftloop.contracts.headers import (
    ARROW,
    CONTENT_TYPE,
    WATERMARK,
    Headers,
    RequestRange,
    is_arrow,
    range_header,
    watermark,
    watermark_header,
)
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import CLASS_PROBABILITIES, holds_probabilities, inference_schema
from driftloop_predictor.buffer import Batch

MAX_MESSAGE_BYTES = 8 * 1024 * 1024 - 256 * 1024  # the topic takes 8 MiB, headers included


class ScoringModel(NamedTuple):
    """The model that scores now; replaced as a whole, so one batch sees one version."""

    model: str
    version: int
    epoch: int  # of the champion alias
    digest: str  # of the manifest
    scorer: Scorer


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


class BatchEncoder:
    """Makes a batch of requests one message that says which offsets it accounts for."""

    def __init__(self, schema: StreamSchema, topic_id: str) -> None:
        self.topic_id = topic_id
        self._decoder = RequestDecoder(schema)
        self._schema = inference_schema(schema)

    def account(self, batch: Batch, start: int, serving: ScoringModel | None, scored_at: datetime) -> Accounted:
        """``start`` is where the partition's previous range ended. Raises TooLarge, never for a single request."""
        taken = self._take(batch)
        rows = taken.rows(self._decoder.schema)
        answered = scored(rows, self._schema, serving, scored_at, pa.array(taken.offsets, pa.int64()))
        value = encode_table(answered)
        if len(value) > MAX_MESSAGE_BYTES and len(batch.records) > 1:
            raise TooLarge
        if len(value) > MAX_MESSAGE_BYTES and holds_probabilities(self._schema):  # rather than to refuse what fits without them
            value = encode_table(answered.set_column(answered.num_columns - 1, CLASS_PROBABILITIES, _no_probabilities(rows.num_rows)))
        if len(value) > MAX_MESSAGE_BYTES:
            reason = f"its {rows.num_rows} rows would make an inferences message of {len(value)} bytes; send fewer at a time"
            rows, taken = rows.slice(0, 0), _Taken(rejected=[(batch.records[0], reason)])
            value = encode_table(scored(rows, self._schema, serving, scored_at, pa.array([], pa.int64())))
        last, quarantined = batch.records[-1], tuple(sorted(record.offset for record, _ in taken.rejected))
        accounts_for = RequestRange(
            topic_id=self.topic_id, partition=last.partition, start=start, end=last.offset + 1, quarantined=quarantined
        )
        headers: Headers = ((CONTENT_TYPE, ARROW.encode()), range_header(accounts_for))
        if taken.watermark is not None:
            headers = (*headers, watermark_header(taken.watermark))
        newest = pc.max(rows.column("event_time")).as_py() if rows.num_rows else None
        unknown = taken.unknown_field_rows
        return Accounted(value, headers, accounts_for.end, rows.num_rows, unknown, taken.rejected, newest, taken.watermark)

    def _take(self, batch: Batch) -> "_Taken":
        taken = _Taken(rejected=[])
        if batch.plain:
            taken.take_json(batch.records, self._decoder)
            return taken
        with_rows = taken.take_watermark(batch.records)
        for arrow, run in itertools.groupby(with_rows, lambda record: is_arrow(record.headers)):
            if not arrow:
                taken.take_json(list(run), self._decoder)
                continue
            for record in run:
                taken.take_arrow(record, self._decoder)
        return taken


class _Taken:
    """What the requests of a batch turned out to hold."""

    def __init__(self, rejected: list[tuple[Record, str]]) -> None:
        self.tables: list[pa.Table] = []
        self.offsets: list[int] = []  # of each row
        self.rejected = rejected
        self.unknown_field_rows = 0
        self.watermark: datetime | None = None

    def rows(self, schema: pa.Schema) -> pa.Table:
        return pa.concat_tables([schema.empty_table(), *self.tables]).combine_chunks()

    def take_json(self, records: Sequence[Record], decoder: RequestDecoder) -> None:
        decoded = decoder.decode_batch([r.value for r in records], [r.key for r in records])
        self.tables.append(decoded.rows)
        self.offsets += [records[i].offset for i in decoded.accepted]
        self.rejected += [(records[i], reason) for i, reason in decoded.rejected]
        self.unknown_field_rows += decoded.unknown_field_rows

    def take_arrow(self, record: Record, decoder: RequestDecoder) -> None:
        try:
            table, unknown = decoder.decode(record)
        except InvalidMessage as exc:
            self.rejected.append((record, str(exc)))
            return
        self.tables.append(table)
        self.offsets += [record.offset] * table.num_rows
        self.unknown_field_rows += unknown

    def take_watermark(self, records: Sequence[Record]) -> Sequence[Record]:
        """The messages that hold rows: all, unless the last one is a watermark only."""
        last = records[-1]
        try:
            self.watermark = watermark(last.headers)
        except InvalidMessage as exc:
            self.rejected.append((last, f"header {WATERMARK}: {exc}"))
            return records[:-1]
        return records if last.value or self.watermark is None else records[:-1]


def scored(rows: pa.Table, schema: pa.Schema, serving: ScoringModel | None, at: datetime, request_offsets: pa.Array | None) -> pa.Table:
    """Request rows with the columns of ``inference_schema``; null predictions without a model."""
    n = rows.num_rows
    if serving is None or not n:
        answer = Scored(pa.nulls(n, schema.field("prediction").type), pa.nulls(n, pa.float64()), _no_probabilities(n))
    else:
        answer = serving.scorer.score(rows)
    version = pa.nulls(n, pa.int64()) if serving is None else pa.repeat(pa.scalar(serving.version, pa.int64()), n)
    scored_at = pa.repeat(pa.scalar(at, schema.field("scored_at").type), n)
    offsets = pa.nulls(n, pa.int64()) if request_offsets is None else request_offsets
    columns = [*rows.columns, answer.prediction, answer.score, version, scored_at, offsets]
    return pa.Table.from_arrays([*columns, answer.probabilities] if holds_probabilities(schema) else columns, schema=schema)


def _no_probabilities(n: int) -> pa.Array:
    return pa.nulls(n, CLASS_PROBABILITIES.type)
