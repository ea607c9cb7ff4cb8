"""A batch of requests on its way to inferences: decoded, scored, and encoded as the message that accounts for it."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa

from driftloop.artifact.scoring import SEARCH_SECONDS, Scored, Scorer
from driftloop.artifact.unscorable import Unscored
from driftloop.contracts.class_probabilities import PROBABILITIES
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
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH, Recalibration
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
from driftloop_predictor.unscored import NO_MODEL
from driftloop_predictor.watching import Watching

_NONE: Mapping[int, str] = {}
NO_ARROW = "an Arrow batch brings no answer of a model that is served elsewhere: send JSON objects"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024 - 256 * 1024  # the topic takes 8 MiB, headers included


class ScoringModel(NamedTuple):
    """The model that scores now, and how its answers are corrected; replaced as a whole, so one batch sees one version of both."""

    model: str
    version: int
    epoch: int  # of the champion alias
    digest: str  # of the manifest
    scorer: Scorer
    recalibration_epoch: int = 0  # of the model's newest record of recalibration, in force or not
    recalibration: Recalibration | None = None  # that is in force

    @property
    def place(self) -> tuple[int, int]:
        """What is served only ever goes on to a later one."""
        return self.epoch, self.recalibration_epoch

    @property
    def corrected_by(self) -> int | None:
        """The epoch of the recalibration that answers are corrected by; None: they are the model's own."""
        return self.recalibration_epoch if self.recalibration is not None else None


Answerer = ScoringModel | Watching


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
        newest = newest_row(rows.column("event_time"), pa.chunked_array([_repeated(scored_at, rows.num_rows)]), self._ahead)
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

    def _inferences(self, rows: pa.Table, taken: "_Taken", serving: Answerer | None, scored_at: datetime) -> "Inferences":
        offsets = pa.array(taken.offsets, pa.int64())
        if not isinstance(serving, Watching):
            return scored(rows, self._schema, serving, scored_at, offsets)
        at = _repeated(scored_at, rows.num_rows)
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


class Inferences(NamedTuple):
    """Rows of ``inference_schema``, and why some of them have no prediction; without a model none has."""

    table: pa.Table
    scored_by_model: bool
    unscored: dict[int, Unscored]

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.unscored.values()) if self.scored_by_model else ((NO_MODEL, ""),) * self.table.num_rows


def scored(
    rows: pa.Table,
    schema: pa.Schema,
    serving: ScoringModel | None,
    at: datetime,
    request_offsets: pa.Array | None,
    search_seconds: float = SEARCH_SECONDS,
) -> Inferences:
    """Request rows with the columns of ``inference_schema``; null predictions without a model.

    ``search_seconds``: how long to look for rows that the model cannot score.
    """
    n, unscored = rows.num_rows, dict[int, Unscored]()
    if serving is None or not n:
        answer = Scored(pa.nulls(n, schema.field("prediction").type), pa.nulls(n, pa.float64()), _no_probabilities(n))
    else:
        answer, unscored = serving.scorer.score_rows(rows, search_seconds, serving.recalibration)
    version = pa.nulls(n, pa.int64()) if serving is None else pa.repeat(pa.scalar(serving.version, pa.int64()), n)
    scored_at = _repeated(at, n)
    offsets = pa.nulls(n, pa.int64()) if request_offsets is None else request_offsets
    columns = {"prediction": answer.prediction, "score": answer.score, "model_version": version, "scored_at": scored_at}
    columns |= {"request_offset": offsets, RECALIBRATION_EPOCH: _corrected_by(serving, n), PROBABILITIES: answer.probabilities}
    columns |= dict(zip(rows.column_names, rows.columns, strict=True))  # last: a feature may have the name of what is not recorded then
    table = pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
    return Inferences(table, serving is not None, unscored)


def _corrected_by(serving: ScoringModel | None, n: int) -> pa.Array:
    epoch = serving.corrected_by if serving is not None else None
    return pa.nulls(n, pa.int64()) if epoch is None else pa.repeat(pa.scalar(epoch, pa.int64()), n)


def _repeated(time: datetime, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(time, pa.timestamp("us", tz="UTC")), n)


def _without_probabilities(table: pa.Table) -> pa.Table:
    return table.set_column(table.num_columns - 1, CLASS_PROBABILITIES, _no_probabilities(table.num_rows))


def _no_probabilities(n: int) -> pa.Array:
    return pa.nulls(n, CLASS_PROBABILITIES.type)
