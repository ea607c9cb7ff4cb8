"""One lake table's side of ingest: buffers per partition, and the flush that makes them durable, step by step."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from driftloop import metrics
from driftloop.contracts import topics
from driftloop.contracts.events import TABLES, Table
from driftloop.crashpoints import crash_point
from driftloop.errors import GapError, TransientError
from driftloop.lake.commit import CursorsMoved, Flush, commit, store_files
from driftloop.lake.cursors import app_id
from driftloop.lake.notes import CommitNote
from driftloop.lake.parquet import encode_file
from driftloop.lake.table import LakeTable
from driftloop.ports import EventPublisher, MessageProducer, ObjectStore, Record, TopicPartition
from driftloop.service.accepted_gaps import WAY_ON
from driftloop.service.quarantine import send_to_quarantine
from driftloop.telemetry import get_logger
from driftloop_ingest.buffer import Buffer
from driftloop_ingest.events import publish_commit
from driftloop_ingest.intake import Intake
from driftloop_ingest.settings import FlushLimits

log = get_logger(__name__)


class Outputs(NamedTuple):
    """Where a flush goes, besides the table."""

    store: ObjectStore
    producer: MessageProducer
    publisher: EventPublisher


class TableWriter:
    """Fills one table from one topic.

    A flush in hand is finished, step by step and each step again after a TransientError, before anything else is taken.
    """

    def __init__(
        self,
        table: LakeTable,
        topic: str,
        intake: Intake,
        outputs: Outputs,
        limits: FlushLimits,
        give_up: Callable[[frozenset[TopicPartition]], None],
        begins_at: Callable[[Sequence[int]], Mapping[int, int]] | None = None,
    ) -> None:
        """``begins_at``: where the messages begin that matter, by partition; those before are passed over, be they there or not.
        None: all matter, and one that expired unread is a gap."""
        self._begins_at = begins_at
        self._table, self.topic, self._intake, self._limits, self._give_up = table, topic, intake, limits, give_up
        self._out = outputs
        self.name = table.table
        self._told: Table | None = next((name for name in TABLES if name == self.name), None)  # commits of others are nobody's event
        self._buffers: dict[int, Buffer] = {}
        self._durable: dict[int, int] = {}
        self._flush: Flush | None = None
        self._rejected: tuple[tuple[Record, str], ...] = ()
        self._watermark_since: float | None = None
        self.version = table.version
        self._stuck = False  # the last attempt failed: the world is not ready
        self._leaving: frozenset[int] = frozenset()

    # what the worker asks
    def assign(self, partitions: Mapping[int, int], topic_id: str) -> dict[int, int]:
        """Where to go on in each partition, given where each begins. Repeats the events of the partitions' last commits."""
        self.finish()
        self._table.refresh()
        self.version = self._table.version
        starts: dict[int, int] = {}
        for partition, beginning in partitions.items():
            cursor = self._table.cursor(app_id(topic_id, partition))
            if cursor is not None and cursor < beginning and self._begins_at is None:
                raise GapError(f"{self.topic}-{partition}: messages {cursor} to {beginning - 1} expired before they were read; {WAY_ON}")
            starts[partition] = beginning if cursor is None else cursor
        matter = {} if self._begins_at is None else self._begins_at(list(partitions))
        positions = self._table.positions()
        cursors = [app_id(topic_id, p) for p in partitions]
        for version in sorted({positions[c].version for c in cursors if c in positions}):
            note = self._table.note(version)
            if note is not None:
                self._publish(note)
        for partition, start in starts.items():
            first = app_id(topic_id, partition) not in positions
            buffer = Buffer(TopicPartition(self.topic, partition), topic_id, start, first=first)
            buffer.passed_to(max(matter.get(partition, start), partitions[partition] if matter else start))
            self._buffers[partition], self._durable[partition] = buffer, start
        return {partition: self._buffers[partition].next for partition in starts}

    def take(self, partition: int, records: Sequence[Record]) -> None:
        """Take records up, flushing whenever enough is in hand. Those that were taken before are passed over."""
        self.finish()
        while partition in self._buffers:
            buffer = self._buffers[partition]
            records = [r for r in records if r.offset >= buffer.next]
            if not records:
                break
            some = records[: self._intake.few(records)]
            if self._intake.take(some, buffer, self._table.cursor) and self._watermark_since is None:
                self._watermark_since = time.monotonic()
            if self._enough():
                self.flush()

    def reject(self, partition: int, record: Record, reason: str) -> None:
        """Pass over a record that cannot be taken up."""
        self.finish()
        buffer = self._buffers.get(partition)
        if buffer is not None and record.offset >= buffer.next:
            self._intake.reject(record, reason, buffer, self._table.cursor)
            buffer.passed(record)

    def read_up_to(self, partition: int, position: int) -> None:
        """There is no record between the last one and ``position``; the next commit says so."""
        if partition in self._buffers:
            self._buffers[partition].passed_to(position)

    def flush_if_due(self) -> None:
        self.finish()
        now = time.monotonic()
        oldest = min((b.since for b in self._buffers.values() if b.since is not None), default=None)
        promised = self._watermark_since is not None and now - self._watermark_since >= self._limits.watermark_seconds
        if promised or (oldest is not None and now - oldest >= self._limits.seconds):
            self.flush()

    def flush(self) -> None:
        """Make everything in hand durable, all partitions in one commit."""
        self.finish()
        cuts = [(p, cut) for p, b in self._buffers.items() if (cut := b.cut()) is not None]
        self._watermark_since = None
        if not cuts:
            return
        self._flush = Flush(
            moves=tuple(move for _, cut in cuts for move in cut.moves),
            files=tuple(
                encode_file(cut.rows, topic_id=cut.moves[0].topic_id, partition=p, first_offset=cut.moves[0].start)
                for p, cut in cuts
                if cut.rows is not None
            ),
            watermarks={p: cut.watermark for p, cut in cuts if cut.watermark is not None},
            caps_label_times=self.name == "labels",
        )
        self._rejected = tuple(pair for _, cut in cuts for pair in cut.rejected)
        self.finish()

    def leave(self, partitions: frozenset[int]) -> None:
        """Flush what is in hand, so that rebalances in a row still get on, and forget these partitions. Never waits for a
        store that is down: their next owner reads them again."""
        self._leaving = partitions
        try:
            if not self._stuck:
                self.flush()
        except TransientError as exc:
            log.warning("not-flushed", topic=self.topic, reason=str(exc))
        finally:
            self._leaving = frozenset()
            self.forget(partitions)

    def forget(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._buffers.pop(partition, None)
            self._durable.pop(partition, None)

    def durable_offsets(self) -> dict[TopicPartition, int]:
        return {TopicPartition(self.topic, p): offset for p, offset in self._durable.items()}

    def owns(self, partition: int) -> bool:
        return partition in self._durable

    @property
    def pending(self) -> bool:
        """Whether a flush is in hand that could not be finished yet."""
        return self._flush is not None

    # the steps of a flush: quarantine, store, commit, publish
    def finish(self) -> None:
        """Finish the flush in hand, if there is one. Raises TransientError, and goes on from there when called again."""
        while self._flush is not None:
            self._stuck = True
            try:
                with metrics.COMMIT_SECONDS.labels(self.name).time():
                    note = self._make_durable(self._flush)
            except CursorsMoved as exc:
                self._surrender(self._flush, frozenset(exc.cursors))
                continue
            crash_point("ingest.after-commit")
            self._publish(note)
            crash_point("ingest.after-event")
            self._done(note)
        self._stuck = False

    def _make_durable(self, flush: Flush) -> CommitNote:
        for record, reason in self._rejected:
            send_to_quarantine(self._out.producer, topics.quarantine(self._table.stream), record, reason, self._out.store)
        if self._rejected:
            self._out.producer.flush()
        crash_point("ingest.before-store")
        store_files(self._out.store, self._table, flush)
        crash_point("ingest.after-store")
        return commit(self._table, self._out.store, flush)

    def _publish(self, note: CommitNote) -> None:
        if self._told is not None:
            publish_commit(self._out.publisher, self._table.stream, self._told, note)

    def _done(self, note: CommitNote) -> None:
        for move in note.moves:
            if move.topic == self.topic and move.partition in self._durable:
                self._durable[move.partition] = move.end
        self.version = note.version
        self._flush, self._rejected = None, ()
        log.info("lake-committed", table=self._table.root, version=note.version, rows=note.rows, partitions=len(note.moves))

    def _surrender(self, flush: Flush, cursors: frozenset[str]) -> None:
        """Another writer owns these cursors' partitions: keep the rest of the flush, drop theirs, and start them again from the table."""
        lost = frozenset(m.partition for m in flush.moves if m.cursor in cursors)
        log.warning("partitions-fenced", table=self._table.root, partitions=sorted(lost))
        self._rejected = tuple((record, why) for record, why in self._rejected if record.partition not in lost)
        self._flush = flush.without(lost)
        self.forget(lost)
        self._give_up(frozenset(TopicPartition(self.topic, p) for p in lost - self._leaving))

    def _enough(self) -> bool:
        rows = sum(b.rows for b in self._buffers.values())
        return rows >= self._limits.rows or sum(b.bytes for b in self._buffers.values()) >= self._limits.bytes
