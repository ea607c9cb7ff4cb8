"""What becomes of requests: each is accounted for exactly once in ``inferences``, scored or quarantined."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import NoReturn

from driftloop import metrics
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, RequestPosition, RequestRange, range_header, watermark_header
from driftloop.contracts.topics import inferences, quarantine
from driftloop.crashpoints import crash_point
from driftloop.errors import MessageTooLarge, NotDelivered, TransientError
from driftloop.ports import Clock, MessageProducer, ObjectStore, Record, TopicPartition
from driftloop.project.model import Project
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.requests import Requests
from driftloop.rows.schemas import inference_schema
from driftloop.service.attempts import Attempts, unforeseen
from driftloop.service.quarantine import quarantine_message
from driftloop.telemetry import get_logger
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.awaited_answers import AwaitedAnswers
from driftloop_predictor.batches import Accounted, BatchEncoder, TooLarge
from driftloop_predictor.buffer import MAX_SPAN, Batch, PartitionBuffer
from driftloop_predictor.idle import IdlePartitions, Seen
from driftloop_predictor.positions import RequestTopic
from driftloop_predictor.serving import Answerer
from driftloop_predictor.unscored import UnscoredRows
from driftloop_predictor.watching import UnknownVersions

MAX_AGE_SECONDS = 0.02
MAX_BUFFERED_ROWS = 20_000
MAX_BUFFERED_BYTES = 64 * 1024 * 1024
IDLE_CHECK_SECONDS = 1.0

log = get_logger(__name__)


def _nobody_asks(names: Set[str]) -> None:
    """Where driftloop serves the model itself."""


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
        store: ObjectStore,
        serving: Callable[[], Answerer | None],
        idle: IdlePartitions,
        progress: Callable[[], Seen | None],
        clock: Clock,
        unscored: UnscoredRows | None = None,
        make_known: Callable[[Set[str]], None] = _nobody_asks,
        answers: AnswersTopic | None = None,
        decoder: Requests | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``decoder``: of requests on a topic that is not ours."""
        self._stream, self._schema = project.stream, project.schema
        self._requests, self._decoder = project.requests_topic, decoder
        self._topic, self._producer, self._serving, self._idle, self._clock = topic, producer, serving, idle, clock
        self._progress, self._ahead, self._unscored = progress, project.ahead, unscored or UnscoredRows()
        self._store = store  # asked for requests only that are rejected and too large for the topic
        self._now, self._make_known = monotonic, make_known
        self._awaited = AwaitedAnswers(answers, serving)  # of another system, where they are on a topic of their own
        self._accountant: BatchEncoder | None = None
        self._buffers: dict[TopicPartition, PartitionBuffer] = {}
        self._in_flight: dict[TopicPartition, int] = {}
        self._unsettled = False
        self._durable: dict[TopicPartition, int] = {}
        self._idle_checked = 0.0
        self._looked_around = float("-inf")
        self._attempts = Attempts()
        self._set_aside: dict[TopicPartition, dict[int, str]] = {}  # offsets of requests to reject unread, with the reason

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._settle()
        topic_id = self._topic.topic_id()
        if self._accountant is None or self._accountant.topic_id != topic_id:
            self._accountant = BatchEncoder(self._schema, topic_id, self._ahead, self._decoder)
        found = self._topic.next_offsets([tp.partition for tp in tps], topic_id)
        offsets = {tp: found[tp.partition] for tp in tps}
        for tp, offset in offsets.items():
            self._buffers[tp] = PartitionBuffer(offset)
            self._durable[tp] = offset
            self._set_aside[tp] = {}
            self._idle.own(tp, self._now())
        self._awaited.own(offsets, self._topic.times_at)
        return offsets

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        self._buffers[tp].take(records, self._now())
        self._idle.heard(tp, self._now())
        self._awaited.took(tp, records[-1])

    def reject(self, tp: TopicPartition, record: Record, reason: str) -> None:
        self._set_aside[tp][record.offset] = reason
        self._buffers[tp].take([record], self._now())

    def on_position(self, tp: TopicPartition, position: int) -> None:
        self._buffers[tp].passed_to(position)

    def on_tick(self) -> None:
        self._awaited.follow(self._buffers)
        rounds = 0
        while due := self._due(MAX_AGE_SECONDS):
            self._round(due)
            rounds += 1
        if not rounds:
            self._settle()
            self._promise_for_idle()

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        for tp in tps:
            for kept in (self._buffers, self._in_flight, self._durable, self._set_aside):
                kept.pop(tp, None)
            self._idle.disown(tp)
            self._awaited.disown(tp)

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

    def position(self, partition: int) -> RequestPosition | None:
        """Up to where the requests of a partition are accounted for in ``inferences``; None for one that is another's.
        May be asked from another thread."""
        accountant, offset = self._accountant, self._durable.get(TopicPartition(self._requests, partition))
        if accountant is None or offset is None:
            return None
        return RequestPosition(topic_id=accountant.topic_id, partition=partition, offset=offset)

    def _due(self, max_age_seconds: float) -> list[TopicPartition]:
        now = self._now()
        return self._awaited.ready({tp: buffer for tp, buffer in self._buffers.items() if buffer.due(now, max_age_seconds)})

    def _round(self, due: Sequence[TopicPartition]) -> None:
        """One message for each partition that has a batch due."""
        cut: dict[TopicPartition, tuple[Batch, Accounted]] = {}
        try:
            for tp in due:
                cut[tp] = self._account(tp)
            self._settle()
            if any(accounted.rejected for _, accounted in cut.values()):
                self._quarantine({tp: accounted for tp, (_, accounted) in cut.items()})
        except TransientError:
            for tp, (batch, _) in cut.items():
                self._buffers[tp].put_back(batch)
            raise
        for tp, (_, message) in cut.items():
            crash_point("predictor.before-send")
            self._send(tp, message.value, message.headers)
            self._buffers[tp].next_offset = message.end
            self._in_flight[tp] = message.end
            self._set_aside[tp] = {offset: why for offset, why in self._set_aside[tp].items() if offset >= message.end}
            self._idle.saw_rows(message.newest)
            if message.watermark is not None:
                self._idle.promised(tp, message.watermark)
            metrics.ROWS.labels(tp.topic).inc(message.rows)
            metrics.UNKNOWN_FIELDS.labels(self._stream).inc(message.unknown_field_rows)
            self._unscored.count(message.unscored)

    def _account(self, tp: TopicPartition) -> tuple[Batch, Accounted]:
        """The next batch of a partition as its message. Raises TransientError when that failed in a way nobody foresaw and
        is to be tried again, with the batch back in its place."""
        assert self._accountant is not None
        buffer, serving = self._buffers[tp], self._serving()
        self._pass_over_hole(tp, buffer.first_offset() or 0)
        batch = buffer.cut()
        with metrics.SCORING_SECONDS.labels("stream").time():
            while True:
                try:
                    return batch, self._accountant.account(batch, buffer.next_offset, serving, self._clock.now(), self._set_aside[tp])
                except TooLarge:
                    batch, rest = batch.split()
                    buffer.put_back(rest)
                except UnknownVersions as exc:
                    buffer.put_back(batch)
                    self._make_known(exc.names)
                    raise TransientError(f"rows of {tp.topic}/{tp.partition} wait for the registry to know the versions {exc}") from exc
                except Exception as exc:  # noqa: BLE001 - one request must not stop the partition
                    buffer.put_back(batch)
                    self._failed(tp, batch, exc)

    def _failed(self, tp: TopicPartition, batch: Batch, exc: Exception) -> NoReturn:
        """Raises TransientError; after some tries the requests that are at fault are set aside first, all if it is none alone."""
        assert self._accountant is not None
        tried_enough = self._attempts.again((tp, batch.records[0].offset), exc) is None
        log.error("batch-failed", exc_info=True, topic=tp.topic, partition=tp.partition, offset=batch.records[0].offset)
        if tried_enough:
            serving, now = self._serving(), self._clock.now()
            guilty = [record for record in batch.records if self._accountant.fails_alone(record, serving, now)] or batch.records
            self._set_aside[tp] |= {record.offset: unforeseen(exc) for record in guilty}
        first = batch.records[0].offset
        raise TransientError(f"requests of {tp.topic}/{tp.partition} from {first} on: {type(exc).__name__}: {exc}") from exc

    def _quarantine(self, accounted: Mapping[TopicPartition, Accounted]) -> None:
        """The rejected bytes are safe before a range names them. Raises TransientError, with nothing sent, when one needs a
        store that is away."""
        topic = quarantine(self._stream)
        for message in [
            quarantine_message(topic, record, reason, self._store) for made in accounted.values() for record, reason in made.rejected
        ]:
            self._deliver(partial(self._producer.send, topic, message.value, key=message.key, headers=message.headers))
        for tp, made in accounted.items():
            metrics.QUARANTINED.labels(tp.topic).inc(len(made.rejected))
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
        except (MessageTooLarge, TransientError) as exc:
            raise NotDelivered(f"a message for {self._stream} was not delivered, and later ones must not pass it: {exc}") from exc

    def _promise_for_idle(self) -> None:
        now = self._now()
        if now - self._idle_checked < IDLE_CHECK_SECONDS:
            return
        self._idle_checked = now
        self._look_around(now)
        for tp, watermark in self._idle.due(now, self._clock.now()).items():
            if tp not in self._buffers or len(self._buffers[tp]) or not self._read_to_end(tp):
                self._idle.heard(tp, now)
                continue
            self._send_promise(tp, watermark)
            self._idle.promised(tp, watermark)

    def _look_around(self, now: float) -> None:
        """How far the stream has come, when no partition of this process tells."""
        if not self._idle.all_silent(now) or now - self._looked_around < self._idle.after_seconds:
            return
        self._looked_around = now
        try:
            self._idle.saw_rows(self._progress())
        except TransientError as exc:
            log.warning("progress-unknown", reason=str(exc))

    def _send_promise(self, tp: TopicPartition, watermark: datetime) -> None:
        """A message without rows. Its range says where the requests have got to, so that the next owner finds it near the
        end, and accounts for offsets behind the last request that belong to none."""
        end = max(self._buffers[tp].next_offset, self._buffers[tp].read_to)
        self._pass_over_hole(tp, end)
        self._send_range(tp, end, watermark_header(watermark))

    def _pass_over_hole(self, tp: TopicPartition, end: int) -> None:
        """Account for offsets before ``end`` that belong to no request, where they are more than one message may account for
        beside a batch: a transaction of any length may have been aborted there."""
        while end - self._buffers[tp].next_offset > MAX_SPAN:
            self._settle()
            self._send_range(tp, self._buffers[tp].next_offset + MAX_SPAN)

    def _send_range(self, tp: TopicPartition, end: int, *more: tuple[str, bytes]) -> None:
        assert self._accountant is not None
        start = self._buffers[tp].next_offset
        accounts_for = RequestRange(topic_id=self._accountant.topic_id, partition=tp.partition, start=start, end=end)
        rows = encode_table(inference_schema(self._schema).empty_table())
        self._send(tp, rows, ((CONTENT_TYPE, ARROW.encode()), range_header(accounts_for), *more))
        self._buffers[tp].next_offset = self._in_flight[tp] = end

    def _read_to_end(self, tp: TopicPartition) -> bool:
        """Idle means that nothing waits in Kafka either; when that cannot be asked, nothing is promised."""
        try:
            buffer = self._buffers[tp]
            return self._topic.end_offset(tp) <= max(buffer.next_offset, buffer.read_to)
        except TransientError:
            return False
