"""What becomes of requests: each is accounted for exactly once in ``inferences``, scored or quarantined."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from driftloop import metrics
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, watermark_header
from driftloop.contracts.topics import inferences, quarantine
from driftloop.crashpoints import crash_point
from driftloop.errors import GapError, TransientError
from driftloop.ports import Clock, MessageProducer, Record, TopicPartition
from driftloop.project.model import Project
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import inference_schema
from driftloop.service.quarantine import send_to_quarantine
from driftloop_predictor.batches import Accounted, BatchEncoder, ScoringModel, TooLarge
from driftloop_predictor.buffer import PartitionBuffer
from driftloop_predictor.idle import IdlePartitions
from driftloop_predictor.unscored import UnscoredRows

MAX_AGE_SECONDS = 0.02
MAX_BUFFERED_ROWS = 20_000
MAX_BUFFERED_BYTES = 64 * 1024 * 1024
IDLE_CHECK_SECONDS = 1.0


class RequestTopic(Protocol):
    """What the handler asks about ``requests``. Everything raises TransientError."""

    def topic_id(self) -> str:
        """The id under which the topic was made: another one after it was deleted and made anew."""

    def next_offsets(self, partitions: Sequence[int], topic_id: str) -> dict[int, int]:
        """By partition, the first offset that no inferences message accounts for."""

    def end_offset(self, tp: TopicPartition) -> int:
        """Where the next record of the partition will be."""


class RequestHandler:
    """Keeps ``PartitionHandler``.

    At most one message per partition is on its way at any time: the next one is sent when the broker holds the last, so a
    lost message can leave no gap behind it. While one round of batches is delivered, the next is decoded and scored.
    """

    def __init__(
        self,
        project: Project,
        *,
        topic: RequestTopic,
        producer: MessageProducer,
        serving: Callable[[], ScoringModel | None],
        idle: IdlePartitions,
        clock: Clock,
        unscored: UnscoredRows | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._schema = project.stream, project.schema
        self._topic, self._producer, self._serving, self._idle, self._clock = topic, producer, serving, idle, clock
        self._unscored = unscored or UnscoredRows()
        self._now = monotonic
        self._accountant: BatchEncoder | None = None
        self._buffers: dict[TopicPartition, PartitionBuffer] = {}
        self._in_flight: dict[TopicPartition, int] = {}
        self._unsettled = False
        self._durable: dict[TopicPartition, int] = {}
        self._idle_checked = 0.0

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._settle()
        topic_id = self._topic.topic_id()
        if self._accountant is None or self._accountant.topic_id != topic_id:
            self._accountant = BatchEncoder(self._schema, topic_id)
        found = self._topic.next_offsets([tp.partition for tp in tps], topic_id)
        offsets = {tp: found[tp.partition] for tp in tps}
        for tp, offset in offsets.items():
            self._buffers[tp] = PartitionBuffer(offset)
            self._durable[tp] = offset
            self._idle.own(tp, self._now())
        return offsets

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        self._buffers[tp].take(records, self._now())
        self._idle.heard(tp, self._now())

    def on_tick(self) -> None:
        rounds = 0
        while due := self._due(MAX_AGE_SECONDS):
            self._round(due)
            rounds += 1
        if not rounds:
            self._settle()
            self._promise_for_idle()

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        for tp in tps:
            for kept in (self._buffers, self._in_flight, self._durable):
                kept.pop(tp, None)
            self._idle.disown(tp)

    def durable_offsets(self) -> Mapping[TopicPartition, int]:
        return dict(self._durable)

    def full(self) -> bool:
        buffers = self._buffers.values()
        return sum(b.rows for b in buffers) >= MAX_BUFFERED_ROWS or sum(b.bytes for b in buffers) >= MAX_BUFFERED_BYTES

    def drain(self) -> None:
        while due := self._due(0.0):
            self._round(due)
        self._settle()

    def next_offsets(self) -> dict[int, int]:
        """For /status: the request offset that each partition goes on from."""
        return {tp.partition: offset for tp, offset in sorted(self._durable.items())}

    def _due(self, max_age_seconds: float) -> list[TopicPartition]:
        now = self._now()
        return [tp for tp, buffer in self._buffers.items() if buffer.due(now, max_age_seconds)]

    def _round(self, due: Sequence[TopicPartition]) -> None:
        """One message for each partition that has a batch due."""
        accounted = {tp: self._account(tp) for tp in due}
        self._settle()
        if any(a.rejected for a in accounted.values()):
            self._quarantine(accounted)
        for tp, message in accounted.items():
            crash_point("predictor.before-send")
            self._send(tp, message.value, message.headers)
            self._buffers[tp].next_offset = message.end
            self._in_flight[tp] = message.end
            self._idle.saw_rows(message.newest)
            if message.watermark is not None:
                self._idle.promised(tp, message.watermark)
            metrics.ROWS.labels(tp.topic).inc(message.rows)
            metrics.UNKNOWN_FIELDS.labels(self._stream).inc(message.unknown_field_rows)
            self._unscored.count(message.unscored)

    def _account(self, tp: TopicPartition) -> Accounted:
        assert self._accountant is not None
        buffer, serving = self._buffers[tp], self._serving()
        batch = buffer.cut()
        with metrics.SCORING_SECONDS.labels("stream").time():
            while True:
                try:
                    return self._accountant.account(batch, buffer.next_offset, serving, self._clock.now())
                except TooLarge:
                    batch, rest = batch.split()
                    buffer.put_back(rest)

    def _quarantine(self, accounted: Mapping[TopicPartition, Accounted]) -> None:
        """The rejected bytes are safe before a range names them."""
        for tp, message in accounted.items():
            for record, reason in message.rejected:
                self._deliver(partial(send_to_quarantine, self._producer, quarantine(self._stream), record, reason))
                metrics.QUARANTINED.labels(tp.topic).inc()
        self._deliver(self._producer.flush)
        crash_point("predictor.after-quarantine")

    def _send(self, tp: TopicPartition, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        self._deliver(partial(self._producer.send, inferences(self._stream), value, partition=tp.partition, headers=headers))
        self._unsettled = True

    def _settle(self) -> None:
        """Wait until the broker holds the round that is on its way; only now may its offsets be committed."""
        if not self._unsettled:
            return
        self._deliver(self._producer.flush)
        crash_point("predictor.after-flush")
        self._durable |= self._in_flight
        self._in_flight.clear()
        self._unsettled = False

    def _deliver(self, step: Callable[[], None]) -> None:
        try:
            step()
        except TransientError as exc:
            raise GapError(f"a message for {self._stream} was not delivered, and later ones must not pass it: {exc}") from exc

    def _promise_for_idle(self) -> None:
        now = self._now()
        if now - self._idle_checked < IDLE_CHECK_SECONDS:
            return
        self._idle_checked = now
        for tp, watermark in self._idle.due(now).items():
            if tp not in self._buffers or len(self._buffers[tp]) or not self._read_to_end(tp):
                self._idle.heard(tp, now)
                continue
            rows = encode_table(inference_schema(self._schema).empty_table())
            self._send(tp, rows, ((CONTENT_TYPE, ARROW.encode()), watermark_header(watermark)))
            self._idle.promised(tp, watermark)

    def _read_to_end(self, tp: TopicPartition) -> bool:
        """Idle means that nothing waits in Kafka either; when that cannot be asked, nothing is promised."""
        try:
            return self._topic.end_offset(tp) <= self._buffers[tp].next_offset
        except TransientError:
            return False
