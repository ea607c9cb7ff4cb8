"""Agent 1's work on one partition: fold messages in memory; twice a second publish, store, then acknowledge."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from driftloop import metrics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import WindowSketched
from driftloop.contracts.headers import Headers, RequestRange
from driftloop.contracts.topics import WINDOW_SKETCHES, quarantine
from driftloop.crashpoints import crash_point
from driftloop.errors import ConfigurationError, GapError, InvalidMessage, OutOfTurn, TransientError
from driftloop.monitoring.partition_fold import PartitionFold, ProfileNeeded, RequestsEndNeeded
from driftloop.ports import EventPublisher, MessageProducer, ObjectStore, Record, TopicEnds
from driftloop.rows.request_ranges import is_within
from driftloop.service.accepted_gaps import WAY_ON, AcceptedGaps
from driftloop.service.attempts import Attempts, unforeseen
from driftloop.service.quarantine import quarantine_message
from driftloop.service.topic_ends import RequestsEnds
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.durable_table import PartitionValues
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.faust_support.records import hole_before, plain_headers
from driftloop_monitor.profiles import Profiles

FLUSH_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 5.0
T = TypeVar("T")

log = get_logger(__name__)


class StoreAway(Exception):
    """A rejected message is too large for the topic, and the store cannot take it now."""


class FaustMessage(Protocol):
    """What is used of faust's message."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: Any


class PartitionRunner:
    """``ack`` marks one event as done in faust. Any exception of ``handle`` and ``flush`` must end the process."""

    def __init__(
        self,
        fold: PartitionFold,
        *,
        stream: str,
        values: PartitionValues,
        profiles: Profiles,
        publisher: EventPublisher,
        quarantine: MessageProducer,
        store: ObjectStore,
        gaps: AcceptedGaps,
        requests: RequestsEnds,
        ack: Callable[[Any], Awaitable[Any]],
    ) -> None:
        self.fold, self._stream, self._values, self._profiles = fold, stream, values, profiles
        self._publisher, self._quarantine, self._store, self._gaps, self._ack = publisher, quarantine, store, gaps, ack
        self._requests = requests
        self._too_wide = fold.too_wide  # those that were told
        self._attempts = Attempts()
        self._covered: list[Any] = []
        self._flushing = asyncio.Lock()
        self._flushed_at = time.monotonic()
        self._early = EarlyMessages()

    async def handle(self, event: Any) -> None:
        """Fold one event; flush if it closed a window or time has come. Raises GapError, TransientError."""
        message: FaustMessage = event.message
        hole = hole_before(message)
        if hole is not None and hole <= self.fold.next_offset:
            self.fold.pass_over(message.offset)
        if self._early.is_one(message.offset, self.fold.next_offset):
            return
        closed = self.fold.closed_up_to
        await self._fold(message)
        self._covered.append(event)
        if self.fold.closed_up_to != closed or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Store, publish, acknowledge what was folded by now. A crash in between repeats all of it, to the same effect."""
        async with self._flushing:
            self._flushed_at = time.monotonic()
            if not self._covered:
                return
            events, self._covered = self._covered, []
            closed, next_offset = self.fold.drain(), self.fold.next_offset
            values = self.fold.changes()
            self._tell_too_wide()
            for counted in closed:
                await asyncio.to_thread(self._publish, counted)
            crash_point("monitor.after-sketches")
            await self._values.write(values, next_offset)
            crash_point("monitor.after-changelog")
            late, early = self.fold.uncounted_rows
            metrics.TOO_LATE_ROWS.labels(self.fold.partition).set(late)
            metrics.TOO_EARLY_ROWS.labels(self.fold.partition).set(early)
            for event in events:
                await self._ack(event)

    def _tell_too_wide(self) -> None:
        for window, size in self.fold.too_wide.items():
            if window not in self._too_wide:
                metrics.VALUES_TOO_LARGE.labels("folds").inc()
                meaning = "its rows are counted, and compared with nothing: fewer columns or bins make it smaller"
                log.error("window-too-large", partition=self.fold.partition, window=str(window.start), bytes=size, meaning=meaning)
        self._too_wide = self.fold.too_wide

    async def flush_for_ever(self) -> None:
        """So that the last messages of a quiet partition are stored too."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
                await self.flush()

    async def _fold(self, message: FaustMessage) -> None:
        headers = plain_headers(message)
        metrics.MESSAGES.labels(message.topic).inc()
        while True:
            try:
                rows = await self._counted(message, headers)
                metrics.ROWS.labels(message.topic).inc(rows)
                break
            except InvalidMessage as exc:
                await self._pass_over(message, headers, str(exc))
                break
            except Exception as exc:  # one message must not stop the partition; known kinds are raised again
                pause = self._attempts.again(message.offset, exc)
                log.error("message-failed", exc_info=True, topic=message.topic, partition=message.partition, offset=message.offset)
                if pause is None:
                    await self._pass_over(message, headers, unforeseen(exc))
                    break
                await asyncio.sleep(pause)

    async def _counted(self, message: FaustMessage, headers: Headers) -> int:
        while True:
            try:
                return await self._permitted(lambda: self.fold.add(message.offset, message.value, headers, _written(message)))
            except ProfileNeeded as needed:
                await self._load_profile(needed.version)

    async def _pass_over(self, message: FaustMessage, headers: Headers, reason: str) -> None:
        attempt = 0
        while True:
            try:
                await asyncio.to_thread(self._reject, message, headers, reason)
                return await self._permitted(lambda: self.fold.skip(message.offset, headers))
            except StoreAway as exc:
                attempt += 1
                log.warning("message-not-stored", offset=message.offset, attempt=attempt, reason=str(exc))
                await asyncio.sleep(min(MAX_BACKOFF_SECONDS, 0.1 * 2**attempt))

    async def _permitted(self, step: Callable[[], T]) -> T:
        """A step of the fold; again with what people have given up, at a gap, and with what the broker says, at a range that goes
        beyond the requests that are known. Raises GapError when what is missing is not on record."""
        try:
            return step()
        except RequestsEndNeeded as needed:
            self.fold.tell_requests(await self._reach(needed.claimed))
        except OutOfTurn:
            raise
        except GapError as exc:
            if not self.fold.permit(await asyncio.to_thread(self._gaps.all)):
                raise GapError(f"{exc}; {WAY_ON}") from exc
        return await self._permitted(step)

    async def _reach(self, claimed: RequestRange) -> TopicEnds:
        if is_within(claimed, self._requests.known):  # another partition's messages have led to the question
            return self._requests.known
        attempt, read_at = 0, time.monotonic()
        while True:
            try:
                return await asyncio.to_thread(self._requests.reach, claimed, read_at)
            except (TransientError, ConfigurationError) as exc:  # the topic may just be being made anew
                attempt += 1
                metrics.RETRIES.labels("requests-end").inc()
                log.warning("requests-end-not-known", partition=claimed.partition, attempt=attempt, reason=str(exc))
                await asyncio.sleep(min(MAX_BACKOFF_SECONDS, 0.1 * 2**attempt))

    async def _load_profile(self, version: int) -> None:
        attempt = 0
        while True:
            try:
                return await asyncio.to_thread(self._profiles.load, version)
            except TransientError as exc:
                attempt += 1
                metrics.RETRIES.labels("profile").inc()
                log.warning("profile-not-loaded", version=version, attempt=attempt, reason=str(exc))
                await asyncio.sleep(min(MAX_BACKOFF_SECONDS, 0.1 * 2**attempt))

    def _reject(self, message: FaustMessage, headers: Headers, reason: str) -> None:
        log.warning("message-rejected", topic=message.topic, partition=message.partition, offset=message.offset, reason=reason)
        stamp = int((message.timestamp or 0) * 1000)
        record = Record(message.topic, message.partition, message.offset, stamp, message.key, message.value, headers)
        topic = quarantine(self._stream)
        try:
            value, key, ours = quarantine_message(topic, record, reason, self._store)
        except TransientError as exc:
            raise StoreAway(str(exc)) from exc
        self._quarantine.send(topic, value, key=key, headers=ours)
        self._quarantine.flush()
        metrics.QUARANTINED.labels(message.topic).inc()

    def _publish(self, counted: WindowSketched) -> None:
        cause = caused_id("sketch", counted.stream, counted.window.start, counted.window.end, counted.partition, counted.closing_offset)
        self._publisher.publish(WINDOW_SKETCHES, counted, key=counted.stream, id=cause)


def _written(message: FaustMessage) -> datetime:
    """By the broker's clock; not later than now, which also stands in for a time that cannot be: where the broker lets it, a producer
    may say any."""
    now = datetime.now(UTC)
    try:
        return min(now, datetime.fromtimestamp(message.timestamp, UTC)) if message.timestamp else now
    except (ValueError, OverflowError, OSError):
        return now
