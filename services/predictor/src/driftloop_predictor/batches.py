"""A batch of requests on its way to inferences: decoded, scored, and encoded as the message that accounts for it."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa

from driftloop.contracts.headers import (
    ARROW,
    CONTENT_TYPE,
    WATERMARK,
    Headers,
    RequestRange,
    range_header,
    watermark,
    watermark_header,
)
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.windows import CLOCK_SKEW
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.answers import Answer, answered
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.requests import DecodedRows, RequestDecoder, Requests
from driftloop.rows.schemas import CLASS_PROBABILITIES, holds_probabilities, inference_schema
from driftloop.service.attempts import KNOWN
from driftloop_predictor.buffer import Batch
from driftloop_predictor.idle import Seen
from driftloop_predictor.progress import newest_row
from driftloop_predictor.scored_rows import Inferences, no_probabilities, repeated, scored
from driftloop_predictor.serving import Answerer
from driftloop_predictor.watching import Watching

_NONE: Mapping[int, str] = {}
NO_ARROW = "an Arrow batch brings no answer of a model that is served elsewhere: send JSON objects"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024 - 256 * 1024  # the topic takes 8 MiB, headers included


class Accounted(NamedTuple):
    """A batch as it goes to ``inferences``, and the requests in it that go to quarantine."""

    value: bytes
    headers: Headers
    end: int
    rows: int
    unknown_field_rows: int
    rejected: list[tuple[Record, str]]
    unscored: tuple[tuple[str, str], ...]  # reason and detail, one for each row without a prediction
    newest: Seen | None  # the highest event time
    watermark: datetime | None


class TooLarge(Exception):
    """The scored rows of a batch do not fit into one message: account for a part of it."""


class BatchEncoder:
    """Makes a batch of requests one message that says which offsets it accounts for."""

    def __init__(self, schema: StreamSchema, topic_id: str, ahead: timedelta | None = CLOCK_SKEW, decoder: Requests | None = None) -> None:
        """``ahead``: how far times may lie beyond the clock; None: however far. ``decoder``: of a topic that is not ours."""
        self.topic_id, self._ahead = topic_id, ahead
        self._decoder: Requests = decoder or RequestDecoder(schema)
        self._schema, self._answers_of = inference_schema(schema), schema

    def account(
        self, batch: Batch, start: int, serving: Answerer | None, scored_at: datetime, set_aside: Mapping[int, str] = _NONE
    ) -> Accounted:
        """``start`` is where the partition's previous range ended; ``set_aside`` are offsets to reject unread, with the reason.

        Raises TooLarge, never for a single request; UnknownVersions of another system.
        """
        latest = None if self._ahead is None else scored_at + self._ahead
        taken = self._take(batch, set_aside, latest, serving if isinstance(serving, Watching) else None)
        rows = taken.rows(self._decoder.schema)
        inferences = self._inferences(rows, taken, serving, scored_at)
        value = encode_table(inferences.table)
        if len(value) > MAX_MESSAGE_BYTES and len(batch.records) > 1:
            raise TooLarge
        if len(value) > MAX_MESSAGE_BYTES and holds_probabilities(self._schema):  # rather than to refuse what fits without them
            inferences = inferences._replace(table=_without_probabilities(inferences.table))
            value = encode_table(inferences.table)
        if len(value) > MAX_MESSAGE_BYTES:
            reason = f"its {rows.num_rows} rows would make an inferences message of {len(value)} bytes; send fewer at a time"
            rows, taken = rows.slice(0, 0), _Taken(rejected=[(batch.records[0], reason)])
            inferences = self._inferences(rows, taken, serving, scored_at)
            value = encode_table(inferences.table)
        last, quarantined = batch.records[-1], tuple(sorted(record.offset for record, _ in taken.rejected))
        accounts_for = RequestRange(
            topic_id=self.topic_id, partition=last.partition, start=start, end=last.offset + 1, quarantined=quarantined
        )
        headers: Headers = ((CONTENT_TYPE, ARROW.encode()), range_header(accounts_for))
        if taken.watermark is not None:
            headers = (*headers, watermark_header(taken.watermark))
        newest = newest_row(rows.column("event_time"), pa.chunked_array([repeated(scored_at, rows.num_rows)]), self._ahead)
        return Accounted(
            value=value,
            headers=headers,
            end=accounts_for.end,
            rows=rows.num_rows,
            unknown_field_rows=taken.unknown_field_rows,
            rejected=taken.rejected,
            unscored=inferences.reasons,
            newest=newest,
            watermark=taken.watermark,
        )

    def _inferences(self, rows: pa.Table, taken: "_Taken", serving: Answerer | None, scored_at: datetime) -> Inferences:
        offsets = pa.array(taken.offsets, pa.int64())
        if not isinstance(serving, Watching):
            return scored(rows, self._schema, serving, scored_at, offsets)
        at = repeated(scored_at, rows.num_rows)
        return Inferences(answered(rows, self._answers_of, taken.answers, serving.versions, at, offsets), True, {})

    def fails_alone(self, record: Record, serving: Answerer | None, scored_at: datetime) -> bool:
        """Whether it is this request that nobody foresaw. Raises what is known, such as a schema registry that is away: no request is
        at fault for that."""
        alone = Batch(since=0.0)
        alone.records, alone.plain = [record], False
        try:
            self.account(alone, record.offset, serving, scored_at)
        except KNOWN:
            raise
        except Exception:  # noqa: BLE001 - that is the question
            return True
        return False

    def _take(self, batch: Batch, set_aside: Mapping[int, str], latest: datetime | None, watching: Watching | None) -> "_Taken":
        taken = _Taken(rejected=[(record, set_aside[record.offset]) for record in batch.records if record.offset in set_aside])
        records = [record for record in batch.records if record.offset not in set_aside] if taken.rejected else batch.records
        if batch.plain or not records:
            taken.take_rows(records, self._decoder, watching)
            return taken
        with_rows = taken.take_watermark(records, latest)
        for tables, run in itertools.groupby(with_rows, self._decoder.is_table):
            if not tables:
                taken.take_rows(list(run), self._decoder, watching)
                continue
            for record in run:
                if watching is None:
                    taken.take_table(record, self._decoder)
                else:
                    taken.rejected.append((record, NO_ARROW))
        return taken


class _Taken:
    """What the requests of a batch turned out to hold."""

    def __init__(self, rejected: list[tuple[Record, str]]) -> None:
        self.tables: list[pa.Table] = []
        self.offsets: list[int] = []  # of each row
        self.answers: list[Answer] = []  # of each row, where another system answers
        self.rejected = rejected
        self.unknown_field_rows = 0
        self.watermark: datetime | None = None

    def rows(self, schema: pa.Schema) -> pa.Table:
        return pa.concat_tables([schema.empty_table(), *self.tables]).combine_chunks()

    def take_rows(self, records: Sequence[Record], decoder: Requests, watching: Watching | None) -> None:
        decoded = decoder.decode_records(records)
        self.rejected += [(records[i], reason) for i, reason in decoded.rejected]
        if watching is not None:
            self._take_answered(records, decoded, watching)
        else:
            self.tables.append(decoded.rows)
            self.offsets += [records[i].offset for i in decoded.accepted]
            self.unknown_field_rows += decoded.unknown_field_rows

    def _take_answered(self, records: Sequence[Record], decoded: DecodedRows, watching: Watching) -> None:
        """Rows that have an answer. Fields beyond the features are not counted: the answer's are among them."""
        found = watching.answers([records[i].value for i in decoded.accepted], decoded.rows.column("event_id").to_pylist())
        answered = [isinstance(each, Answer) for each in found]
        self.tables.append(decoded.rows if all(answered) else decoded.rows.filter(pa.array(answered)))
        for i, each in zip(decoded.accepted, found, strict=True):
            if isinstance(each, Answer):
                self.offsets.append(records[i].offset)
                self.answers.append(each)
            else:
                self.rejected.append((records[i], each))

    def take_table(self, record: Record, decoder: Requests) -> None:
        try:
            table, unknown = decoder.decode(record)
        except InvalidMessage as exc:
            self.rejected.append((record, str(exc)))
            return
        self.tables.append(table)
        self.offsets += [record.offset] * table.num_rows
        self.unknown_field_rows += unknown

    def take_watermark(self, records: Sequence[Record], latest: datetime | None) -> Sequence[Record]:
        """The messages that hold rows: all, unless the last one is a watermark only, or one that is beyond ``latest``."""
        last = records[-1]
        try:
            self.watermark = watermark(last.headers, latest)
        except InvalidMessage as exc:
            self.rejected.append((last, f"header {WATERMARK}: {exc}"))
            return records[:-1]
        return records if last.value or self.watermark is None else records[:-1]


def _without_probabilities(table: pa.Table) -> pa.Table:
    return table.set_column(table.num_columns - 1, CLASS_PROBABILITIES, no_probabilities(table.num_rows))
