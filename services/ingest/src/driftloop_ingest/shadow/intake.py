"""How a message of inferences becomes shadow rows: decoded, trimmed like ingest's, scored by the challenger."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts import topics
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.headers import RequestRange
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.lake.cursors import request_app_id
from driftloop.ports import Clock, Record, TopicPartition
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.schemas import CLASS_PROBABILITIES, OF_CHAMPION, TIME, inference_schema, shadow_schema
from driftloop_ingest.buffer import Buffer
from driftloop_ingest.intake import Cursor, Requests
from driftloop_ingest.shadow.challengers import Challenger
from driftloop_ingest.shadow.progress import Account

MAX_LAG = timedelta(hours=1)


class CurrentChallenger(Protocol):
    """Who answers now."""

    def now(self) -> Challenger | None:
        """None: nobody. Raises TransientError."""


class ShadowIntake:
    """Keeps ``driftloop_ingest.intake.Intake``.

    A message is passed over when nobody is a challenger, when the broker had it before the challenger was one or longer than ``max_lag``
    ago, and when ingest quarantines it; no gap is an error here, for rows that nobody answers for are nothing lost.
    """

    def __init__(
        self,
        schema: StreamSchema,
        challengers: CurrentChallenger,
        clock: Clock,
        account: Account,
        *,
        requests: Requests,
        newer: Callable[[], None] = lambda: None,
        max_lag: timedelta = MAX_LAG,
        topic: str | None = None,
    ) -> None:
        """``newer``: as ingest's. ``topic``: of the requests, where it is not ours."""
        self._decoder, self._columns = InferenceDecoder(schema, inference_schema(schema)), shadow_columns(schema)
        self._topic = topic or topics.requests(schema.stream)
        self._challengers, self._clock, self._account = challengers, clock, account
        self._requests, self._newer, self._max_lag_ms = requests, newer, max_lag / timedelta(milliseconds=1)

    def few(self, records: Sequence[Record]) -> int:
        return 1  # each may hold thousands of rows

    def take(self, records: Sequence[Record], buffer: Buffer, cursor: Cursor) -> bool:
        for record in records:
            self._account.began(TopicPartition(record.topic, record.partition), record.timestamp_ms)
            why = self._take(record, buffer, cursor)
            if why is not None:
                self._account.passed_over(why)
            buffer.passed(record)
        return False

    def reject(self, record: Record, reason: str, buffer: Buffer, cursor: Cursor) -> None:
        """Whatever nobody foresaw about it: ingest has it, and the challenger goes without."""
        self._account.passed_over("failed")
        self._account.last_error = f"a message could not be answered for: {reason}"

    def _take(self, record: Record, buffer: Buffer, cursor: Cursor) -> str | None:
        """Why it was passed over, if it was."""
        challenger = self._challengers.now()
        if challenger is None:
            return "no-challenger"
        if record.timestamp_ms < challenger.since_ms:
            return "before"
        if self._clock.now().timestamp() * 1000 - record.timestamp_ms > self._max_lag_ms:
            return "too-old"
        try:
            rows, claimed, _ = self._decoder.decode(record)
            if claimed is not None:
                self._requests.check_end(claimed)
        except UnknownFeatures:
            self._newer()
            return "unreadable"
        except InvalidMessage:
            return "unreadable"
        if claimed is not None:
            start = self._account_for(claimed, buffer, cursor)
            if rows is not None and start > claimed.start:
                rows = rows.filter(pc.greater_equal(rows.column("request_offset"), start))
        if rows is not None and rows.num_rows:
            self._score(rows, challenger, record, buffer)
        return None

    def _account_for(self, claimed: RequestRange, buffer: Buffer, cursor: Cursor) -> int:
        """The first request of the message that is new. The cursor passes over what nobody answered for."""
        known = buffer.request_cursor(claimed.topic_id)
        if known is None:
            known = cursor(request_app_id(claimed.topic_id, claimed.partition))
        start = claimed.start if known is None else known
        buffer.account(claimed, self._topic, start, max(start, claimed.end), first=known is None, quarantined=())
        return start

    def _score(self, rows: pa.Table, challenger: Challenger, record: Record, buffer: Buffer) -> None:
        answer, unscored = challenger.scorer.score_rows(rows)
        n = rows.num_rows
        given = {
            "prediction": answer.prediction,
            "score": answer.score,
            "model_version": pa.repeat(pa.scalar(challenger.version, pa.int64()), n),
            "challenger_epoch": pa.repeat(pa.scalar(challenger.epoch, pa.int64()), n),
            "shadowed_at": pa.repeat(pa.scalar(self._clock.now(), TIME), n),
            PROBABILITIES: answer.probabilities if answer.probabilities is not None else pa.nulls(n, CLASS_PROBABILITIES.type),
        }
        buffer.add(pa.Table.from_arrays([_column(rows, given, name) for name in self._columns.names], schema=self._columns), record.offset)
        self._account.scored(n, len(unscored))


def shadow_columns(schema: StreamSchema) -> pa.Schema:
    """What a flush is given: the table's columns but for the place, which the buffer adds."""
    return pa.schema([field for field in shadow_schema(schema) if field.name not in ("partition", "offset")])


def _column(rows: pa.Table, given: dict[str, pa.Array], name: str) -> pa.Array:
    if name in given:
        return given[name]
    return rows.column(name.removeprefix(OF_CHAMPION)).combine_chunks()
