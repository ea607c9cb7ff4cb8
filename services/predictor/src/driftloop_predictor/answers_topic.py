"""Answers that are on a topic of their own, joined with the requests by event id."""

from collections.abc import Callable, Sequence
from typing import Any

from driftloop import metrics
from driftloop.contracts.answers import Answers
from driftloop.contracts.headers import WATERMARK, header, is_arrow
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import ConfigurationError, GapError, InvalidMessage
from driftloop.ports import Clock, MessageConsumer, Record, TopicPartition
from driftloop.rows.answers import Answer, AnswerReader
from driftloop.rows.paths import JsonPaths
from driftloop.telemetry import get_logger
from driftloop_predictor.answer_book import AnswerBook, reached_by
from driftloop_predictor.buffer import Batch

AT_ONCE = 5000  # answers of one look
AHEAD = 200_000  # answers in hand; more are read while a request waits for its own
ENDS_SECONDS = 0.2  # between two questions where the topic ends
MOST_WAITING = 2_000_000

log = get_logger(__name__)


class AnswersTopic:
    """Reads the whole topic, in no group: who answers need not send an answer to the partition of its request. For one thread.

    Begins one ``join_within`` before the oldest request that is not accounted for, and after a restart again.
    """

    def __init__(
        self,
        schema: StreamSchema,
        declared: Answers,
        topic: str,
        *,
        open_reader: Callable[[Sequence[TopicPartition]], MessageConsumer],
        partitions: Callable[[str], int],
        clock: Clock,
    ) -> None:
        self._reader = AnswerReader(schema, declared, {declared.event_id: str | int})
        self._id_of, self._asked_id = declared.event_id, JsonPaths({"event_id": str})
        self._topic, self._open_reader, self._partitions, self._clock = topic, open_reader, partitions, clock
        self._patience_ms = int(declared.patience.total_seconds() * 1000)
        self._book = AnswerBook(self._patience_ms)
        self._consumer: MessageConsumer | None = None
        self._from_ms = 0
        self._ends: dict[TopicPartition, int] = {}
        self._ends_at_ms = 0
        self._waiting: dict[TopicPartition, tuple[int, list[tuple[str, int]]]] = {}
        self.unreadable, self.last_unreadable = 0, ""

    def follow(self, oldest_ms: int) -> None:
        """Read on. ``oldest_ms``: no request that is not accounted for was sent before it.

        Raises TransientError, and ConfigurationError where so many answers wait that there is no room for more.
        """
        if self._consumer is None or oldest_ms - self._patience_ms < self._from_ms:
            self._begin(oldest_ms - self._patience_ms)
        self._book.forget_before(oldest_ms)
        self._from_ms = max(self._from_ms, oldest_ms - self._patience_ms)
        waiting = any(left for _, left in self._waiting.values())
        if len(self._book) > AHEAD and not waiting:
            return
        now = self.now_ms()
        if waiting and now - self._ends_at_ms >= ENDS_SECONDS * 1000:
            self._look_for_ends(now)
        try:
            self._read()
        except GapError as exc:  # what is gone was answered; its requests say so when they are given up
            log.warning("answers-expired", topic=self._topic, reason=str(exc))
            self.close()
        if len(self._book) > MOST_WAITING:
            raise ConfigurationError(
                f"more than {MOST_WAITING:,} answers on {self._topic} wait for their requests: shorten [answers] join_within"
            )

    def ready(self, tp: TopicPartition, batch: Batch) -> bool:
        """Whether of each request of the batch it is known what was answered, or that nothing was in time. Ask before each ``read_all``."""
        first = batch.records[0].offset
        known = self._waiting.get(tp)
        size = len(batch.records)
        if known is None or known[0] != (first << 20) + size:
            known = (first << 20) + size, [asked for record in batch.records if (asked := self._asked(record)) is not None]
        left = [(event_id, ms) for event_id, ms in known[1] if not self._book.settled(event_id, ms)]
        self._waiting[tp] = known[0], left
        return not left

    def disown(self, tp: TopicPartition) -> None:
        self._waiting.pop(tp, None)

    def read_all(self, _values: Sequence[bytes | None], event_ids: Sequence[str]) -> list[Answer | str]:
        """What was answered to each, or why there is no answer."""
        return [self._book.get(event_id) or self._unanswered() for event_id in event_ids]

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _unanswered(self) -> str:
        return f"no answer on {self._topic} within {self._patience_ms / 1000:g} s: [answers] join_within in driftloop.toml says how long"

    def _asked(self, record: Record) -> tuple[str, int] | None:
        """Event id and time of a request that has one; what brings no row, or is rejected, waits for nothing."""
        if record.value is None or is_arrow(record.headers) or (header(record.headers, WATERMARK) is not None and not record.value):
            return None
        try:
            event_id = self._asked_id.decode(record.value)["event_id"]
        except InvalidMessage:
            return None
        return None if event_id is None else (event_id, record.timestamp_ms)

    def _begin(self, from_ms: int) -> None:
        self.close()
        tps = [TopicPartition(self._topic, p) for p in range(self._partitions(self._topic))]
        consumer = self._open_reader(tps)
        for tp, offset in consumer.offsets_at(tps, max(0, from_ms)).items():
            consumer.seek(tp, offset)
        self._consumer, self._from_ms, self._ends_at_ms, self._ends = consumer, from_ms, 0, {}
        self._book.begin(len(tps), from_ms)
        self._waiting.clear()  # what was settled by the book of before is not by this one
        log.info("answers-followed", topic=self._topic, partitions=len(tps))

    def _look_for_ends(self, now: int) -> None:
        assert self._consumer is not None
        tps = sorted(self._consumer.assignment())
        if self._partitions(self._topic) != len(tps):
            self._begin(self._from_ms)
            tps = sorted(self._consumer.assignment())
        self._ends, self._ends_at_ms = self._consumer.end_offsets(tps), now

    def _read(self) -> None:
        assert self._consumer is not None
        for records in self._consumer.poll(0.0, max_records=AT_ONCE).values():
            for record in records:
                self._take(record)
            reached = reached_by([record.timestamp_ms for record in records])
            if reached is not None:
                self._book.read_to(records[0].partition, reached)
        for tp, end in self._ends.items():
            if self._consumer.position(tp) >= end:
                self._book.read_to(tp.partition, self._ends_at_ms)

    def _take(self, record: Record) -> None:
        try:
            found = self._reader.values(record.value)
        except InvalidMessage as exc:
            self._unreadable(str(exc))
            return
        event_id = found[self._id_of]
        if event_id is None:
            self._unreadable(f"required field missing: {self._id_of!r}")
        else:
            self._book.take(str(event_id), self._answer(found), record.timestamp_ms)

    def _answer(self, found: dict[str, Any]) -> Answer | str:
        try:
            return self._reader.answer(found)
        except InvalidMessage as exc:
            return f"its answer on {self._topic}: {exc}"

    def _unreadable(self, reason: str) -> None:
        """It stays where it is, in a topic that is not ours; whose answer it was is not known."""
        metrics.UNREADABLE_ANSWERS.labels(self._topic).inc()
        self.unreadable += 1
        self.last_unreadable = reason

    def now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
