"""Agent 1's work on one partition: fold messages in memory; twice a second publish, store, then acknowledge."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from driftloop import metrics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import WindowSketched
from driftloop.contracts.topics import WINDOW_SKETCHES, quarantine
from driftloop.crashpoints import crash_point
from driftloop.errors import GapError, InvalidMessage, TransientError
from driftloop.monitoring.partition_fold import PartitionFold, ProfileNeeded
from driftloop.monitoring.partition_state import STATE_KEY
from driftloop.ports import EventPublisher, MessageProducer, Record
from driftloop.service.accepted_gaps import WAY_ON, AcceptedGaps
from driftloop.service.quarantine import send_to_quarantine
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.profiles import Profiles

FLUSH_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 5.0
T = TypeVar("T")

log = get_logger(__name__)


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
        table: DurableTable,
        profiles: Profiles,
        publisher: EventPublisher,
        quarantine: MessageProducer,
        gaps: AcceptedGaps,
        ack: Callable[[Any], Awaitable[Any]],
    ) -> None:
        self.fold, self._stream, self._table, self._profiles = fold, stream, table, profiles
        self._publisher, self._quarantine, self._gaps, self._ack = publisher, quarantine, gaps, ack
        self._covered: list[Any] = []
        self._flushing = asyncio.Lock()
        self._flushed_at = time.monotonic()
        self._early = EarlyMessages()

    async def handle(self, event: Any) -> None:
        """Fold one event; flush if it closed a window or time has come. Raises GapError, TransientError."""
        message: FaustMessage = event.message
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
            value = self.fold.state().encode()
            for counted in closed:
                await asyncio.to_thread(self._publish, counted)
            crash_point("monitor.after-sketches")
            await self._table.write(self.fold.partition, {STATE_KEY: value}, next_offset)
            crash_point("monitor.after-changelog")
            metrics.DURABLE_OFFSET.labels(events[-1].message.topic, self.fold.partition).set(next_offset)
            for event in events:
                await self._ack(event)

    async def flush_for_ever(self) -> None:
        """So that the last messages of a quiet partition are stored too."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
                await self.flush()

    async def _fold(self, message: FaustMessage) -> None:
        headers = tuple((name, value or b"") for name, value in message.headers or ())  # null in Kafka is empty to us
        while True:
            try:
                rows = await self._permitted(lambda: self.fold.add(message.offset, message.value, headers))
                metrics.MESSAGES.labels(message.topic).inc()
                metrics.ROWS.labels(message.topic).inc(rows)
                return
            except ProfileNeeded as needed:
                await self._load_profile(needed.version)
            except InvalidMessage as exc:
                await asyncio.to_thread(self._reject, message, headers, str(exc))
                await self._permitted(lambda: self.fold.skip(message.offset, headers))
                return

    async def _permitted(self, step: Callable[[], T]) -> T:
        """A step of the fold; at a gap, again with what people have given up. Raises GapError when that is not on record."""
        try:
            return step()
        except GapError as exc:
            if not self.fold.permit(await asyncio.to_thread(self._gaps.all)):
                raise GapError(f"{exc}; {WAY_ON}") from exc
        return await self._permitted(step)

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

    def _reject(self, message: FaustMessage, headers: Sequence[tuple[str, bytes]], reason: str) -> None:
        log.warning("message-rejected", topic=message.topic, partition=message.partition, offset=message.offset, reason=reason)
        stamp = int((message.timestamp or 0) * 1000)
        record = Record(message.topic, message.partition, message.offset, stamp, message.key, message.value, tuple(headers))
        send_to_quarantine(self._quarantine, quarantine(self._stream), record, reason)
        self._quarantine.flush()
        metrics.QUARANTINED.labels(message.topic).inc()

    def _publish(self, counted: WindowSketched) -> None:
        cause = caused_id("sketch", counted.stream, counted.window.start, counted.window.end, counted.partition, counted.closing_offset)
        self._publisher.publish(WINDOW_SKETCHES, counted, key=counted.stream, id=cause)
