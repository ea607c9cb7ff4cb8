"""The loop of the services on the data plane: poll, hand over, flush by time and size, commit what is durable."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from driftloop import metrics
from driftloop.contracts.gaps import LOST_END
from driftloop.errors import GapError, TransientError
from driftloop.ports import MessageConsumer, Record, TopicPartition
from driftloop.service.attempts import KNOWN, Attempts, unforeseen
from driftloop.service.partition_progress import PartitionProgress
from driftloop.service.process import Stop
from driftloop.service.topic_incarnations import TopicIncarnations
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class PartitionHandler(Protocol):
    """What a data-plane service does with its partitions.

    Any method but ``on_revoked`` may raise TransientError: the worker then pauses everything, keeps polling so that
    the group does not rebalance, and calls the same method again with the same arguments.
    """

    def starting_offsets(self, tps: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the durable state says to go on, for every partition of ``tps``; called on each assignment."""

    def on_records(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        """Take records up, in offset order. Must be safe to call again with the same records, or one by one, after any error."""

    def reject(self, tp: TopicPartition, record: Record, reason: str) -> None:
        """Account for a record that ``on_records`` cannot take up: it goes to quarantine with its bytes."""

    def on_position(self, tp: TopicPartition, position: int) -> None:
        """All records below ``position`` have been handed over: what lies between the last one and it are control markers
        and records of aborted transactions. Called where the reading has got further than the records."""

    def on_tick(self) -> None:
        """Flush what is due by time or size; called after every poll, at least every 100 ms."""

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        """Forget what is buffered for ``tps``: their next owner starts from the durable state."""

    def durable_offsets(self) -> Mapping[TopicPartition, int]:
        """Offsets that may be committed to Kafka now: never past what the durable output accounts for."""

    def full(self) -> bool:
        """True while no more records should be read."""

    def drain(self) -> None:
        """Bring what is in hand to its durable end; ten seconds."""


class PartitionWorker:
    """Runs a PartitionHandler over a consumer, whose rebalance listener it is."""

    def __init__(
        self, handler: PartitionHandler, *, stop: Stop, max_records: int = 5000, commit_every_polls: int = 10, poll_seconds: float = 0.1
    ) -> None:
        self._handler, self._stop, self._poll_seconds = handler, stop, poll_seconds
        self._max_records, self._commit_every = max_records, commit_every_polls
        self._consumer: MessageConsumer | None = None
        self._to_seek: frozenset[TopicPartition] = frozenset()
        self._committed: dict[TopicPartition, int] = {}
        self._handed_over: dict[TopicPartition, int] = {}
        self._incarnations = TopicIncarnations()
        self._attempts = Attempts()
        self._progress = PartitionProgress()
        self._paused = False

    # The rebalance listener: called inside poll. Reading starts only after the seek, outside of the callback.
    def on_assigned(self, tps: frozenset[TopicPartition]) -> None:
        assert self._consumer is not None
        self._to_seek |= tps
        for tp in tps:
            self._consumer.seek(tp, 0)  # a place to stand until the real offset is asked for; paused, so nothing is read
        self._consumer.pause(list(tps))

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        self._to_seek -= tps
        for tp in tps:
            self._committed.pop(tp, None)
            self._handed_over.pop(tp, None)
        self._progress.forget(tps)
        self._handler.on_revoked(tps)

    def run(self, consumer: MessageConsumer) -> None:
        """Until a stop is requested; then drains. Errors that are not transient end the loop; a GapError leaves the group, too."""
        self._consumer = consumer
        try:
            self._run(consumer)
        except GapError:
            with suppress(TransientError):
                consumer.close()
            raise
        self._drain()

    def _run(self, consumer: MessageConsumer) -> None:
        polls = 0
        while not self._stop.requested():
            polled = self._poll(0.0 if self._handler.full() else self._poll_seconds)
            anew = self._topics_made_anew()
            if anew:  # what was polled is of the new topic, from an offset that the old one had
                polled = {tp: records for tp, records in polled.items() if tp.topic not in anew}
            self._seek_assigned()
            for tp, records in polled.items():
                if tp in consumer.assignment() and tp not in self._to_seek:
                    metrics.MESSAGES.labels(tp.topic).inc(len(records))
                    self._progress.end(tp, consumer.last_known_end(tp))
                    self._insist(partial(self._hand_over, tp, records), tp)
            self._show_positions()
            self._insist(self._handler.on_tick)
            polls += 1
            if polls % self._commit_every == 0 or not polled:
                self._commit()
            self._pause_while_full()

    def reseek(self, tps: frozenset[TopicPartition]) -> None:
        """Ask the handler again where to go on (its state turned out to be someone else's)."""
        assert self._consumer is not None
        self._to_seek |= tps & self._consumer.assignment()
        self._consumer.pause(list(self._to_seek))

    def _hand_over(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        """Where taking up fails in a way nobody foresaw, one by one; a record at which it fails again and again is rejected."""
        try:
            self._handler.on_records(tp, records)
        except KNOWN:
            raise
        except Exception:  # noqa: BLE001 - one record must not stop the partition
            for record in records:
                self._hand_over_one(tp, record)
        self._handed_over[tp] = records[-1].offset + 1

    def _hand_over_one(self, tp: TopicPartition, record: Record) -> None:
        try:
            self._handler.on_records(tp, [record])
        except Exception as exc:
            pause = self._attempts.again((tp, record.offset), exc)  # raises errors of known kinds
            log.error("record-failed", exc_info=True, topic=tp.topic, partition=tp.partition, offset=record.offset)
            if pause is not None:
                self._stop.wait(pause)
                raise TransientError(f"record {record.offset} of {tp.topic}/{tp.partition}: {type(exc).__name__}: {exc}") from exc
            self._handler.reject(tp, record, unforeseen(exc))

    def _show_positions(self) -> None:
        assert self._consumer is not None
        if self._stop.requested():
            return  # records may have been left in hand: they lie between the last one handed over and the position, too
        for tp in self._consumer.assignment() - self._to_seek:
            position = self._consumer.last_position(tp)
            if position is not None and position > self._handed_over.get(tp, position):
                self._handed_over[tp] = position
                self._handler.on_position(tp, position)

    def _poll(self, timeout: float) -> Mapping[TopicPartition, Sequence[Record]]:
        assert self._consumer is not None
        try:
            return self._consumer.poll(timeout, max_records=self._max_records)
        except TransientError as exc:
            log.warning("poll-failed", reason=str(exc))
            metrics.RETRIES.labels("poll").inc()
            self._stop.wait(0.5)
            return {}
        except GapError:
            if not self._topics_made_anew():
                raise
            return {}  # offsets begin again: where to go on is asked for

    def _topics_made_anew(self) -> frozenset[str]:
        """Topics that have another id than before. Their partitions wait until the handler has said where to go on in them."""
        assert self._consumer is not None
        anew = self._incarnations.made_anew(self._consumer)
        tps = frozenset(tp for tp in self._consumer.assignment() if tp.topic in anew)
        if tps:
            self.on_revoked(tps)
            self._to_seek |= tps
            self._consumer.pause(list(tps))
        return anew

    def _seek_assigned(self) -> None:
        assert self._consumer is not None
        while self._to_seek and not self._stop.requested():
            tps = self._to_seek
            offsets: dict[TopicPartition, int] = {}
            self._insist(partial(self._ask_where_to_go_on, tps, offsets))
            for tp in tps & self._to_seek & self._consumer.assignment():
                if tp not in offsets:
                    continue
                log.info("partition-taken", topic=tp.topic, partition=tp.partition, offset=offsets[tp])
                self._consumer.seek(tp, offsets[tp])
                self._handed_over[tp] = offsets[tp]
                self._progress.durable(tp, offsets[tp])
                if not self._paused:
                    self._consumer.resume([tp])
            self._to_seek -= tps

    def _ask_where_to_go_on(self, tps: frozenset[TopicPartition], offsets: dict[TopicPartition, int]) -> None:
        assert self._consumer is not None
        offsets |= self._handler.starting_offsets(tps)
        ends = self._consumer.end_offsets([tp for tp in tps if tp in offsets])
        for tp, end in ends.items():
            if offsets[tp] <= end:
                continue
            if self._topics_made_anew():
                raise TransientError(f"{tp.topic} was made anew while it was asked where to go on")
            raise GapError(
                f"{tp.topic}-{tp.partition} ends at {end}, and {offsets[tp]} was to be read next: {LOST_END}, and new records under the "
                "lost offsets would be taken for known ones; delete the topic, then make it anew with driftloop up --project DIR"
            )

    def _insist(self, step: Callable[[], None], tp: TopicPartition | None = None) -> None:
        """Repeat a step until it is done, polling without reading in between; give up when its partition is revoked."""
        assert self._consumer is not None
        attempt = 0
        while True:
            try:
                step()
                break
            except TransientError as exc:
                attempt += 1
                log.warning("step-postponed", reason=str(exc), attempt=attempt)
                metrics.RETRIES.labels("data").inc()
                metrics.PAUSED.set(1)
                if self._stop.requested():
                    return
                self._consumer.pause(list(self._consumer.assignment()))
                self._poll(0.0)
                self._stop.wait(min(2.0, 0.1 * 2**attempt))
                if tp is not None and (tp not in self._consumer.assignment() or tp in self._to_seek):
                    break
        if attempt and not self._paused:
            metrics.PAUSED.set(0)
            self._consumer.resume([t for t in self._consumer.assignment() if t not in self._to_seek])

    def _pause_while_full(self) -> None:
        assert self._consumer is not None
        full = self._handler.full()
        if full != self._paused:
            self._paused = full
            metrics.PAUSED.set(int(full))
            tps = [t for t in self._consumer.assignment() if t not in self._to_seek]
            (self._consumer.pause if full else self._consumer.resume)(tps)

    def _commit(self) -> None:
        assert self._consumer is not None
        owned = self._consumer.assignment()
        self._show_ends(owned)
        new = {tp: o for tp, o in self._handler.durable_offsets().items() if tp in owned and self._committed.get(tp) != o}
        if not new:
            return
        try:
            self._consumer.commit(new)
            self._committed |= new
        except TransientError as exc:  # advisory: the next start asks the durable state
            log.warning("offset-commit-failed", reason=str(exc))
        for tp, offset in new.items():
            self._progress.durable(tp, offset)

    def _show_ends(self, owned: frozenset[TopicPartition]) -> None:
        """Beside the durable offsets: a partition whose end moves while its durable offset does not has stalled."""
        assert self._consumer is not None
        for tp in owned - self._to_seek:
            self._progress.end(tp, self._consumer.last_known_end(tp))

    def _drain(self) -> None:
        assert self._consumer is not None
        try:
            self._handler.drain()
            self._commit()
            self._consumer.close()
        except TransientError as exc:
            log.warning("not-drained", reason=str(exc))  # the next start repeats it
