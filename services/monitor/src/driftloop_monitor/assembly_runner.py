"""Agent 2's work: put partitions' counts together, report complete windows, store what is known of them, acknowledge."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from driftloop import metrics
from driftloop.contracts.codec import caused_id, decode_event
from driftloop.contracts.events import DriftReported, PerformanceReported, WindowSketched
from driftloop.contracts.topics import DRIFT_REPORTS
from driftloop.errors import ConfigurationError, GapError, InvalidMessage, TransientError
from driftloop.monitoring.assembly import AssembledWindow, WindowAssembler
from driftloop.monitoring.drift import drift_reports
from driftloop.monitoring.partition_fold import ProfileNeeded
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.partition_runner import FaustMessage
from driftloop_monitor.profiles import Profiles

MAX_INVALID_IN_A_ROW = 10  # on a control topic: a bad deploy must not drain it

log = get_logger(__name__)


class AssemblyRunner:
    """The windows that one partition of ``window-sketches`` tells of, as its table has them."""

    def __init__(self, project: Project, partition: int, *, table: DurableTable, profiles: Profiles, publisher: EventPublisher) -> None:
        self._project, self.partition, self._table = project, partition, table
        self._profiles, self._publisher = profiles, publisher
        self.assembler = WindowAssembler(project.stream, table.values(partition))
        if not self.assembler.cursor.next_offset:  # nothing stored: what expired before the beginning is not missing
            self.assembler.cursor.next_offset = table.placed(partition)
        self._early = EarlyMessages()
        self._invalid = 0
        self._handling = asyncio.Lock()

    async def handle(self, event: Any, ack: Callable[[Any], Awaitable[Any]]) -> None:
        """Handle one message to its end. A repeat changes nothing; a repeat after a crash makes the same reports again.

        Raises GapError when sketches were skipped: windows would be reported without them.
        """
        async with self._handling:
            await self._handle(event, ack)

    async def remember(self, reports: Sequence[PerformanceReported]) -> None:
        """Store what was reported of windows' performance: at once, or with the sketch that is being handled."""
        for report in reports:
            self.assembler.measured(report)
        if reports and not self._handling.locked():  # else the sketch may be half in, and its offset is not
            async with self._handling:
                next_offset = self.assembler.cursor.next_offset
                await self._table.write(self.partition, self.assembler.changes(next_offset), next_offset)

    async def _handle(self, event: Any, ack: Callable[[Any], Awaitable[Any]]) -> None:
        message: FaustMessage = event.message
        due = self.assembler.cursor.next_offset
        if self._early.is_one(message.offset, due):
            return
        if message.offset > due:
            raise GapError(f"{message.topic}[{self.partition}]: sketch {message.offset} came where {due} was due")
        if message.offset == due:
            counted = self._decode(message)
            if counted is not None and self.assembler.add(counted):
                for held in list(self.assembler.to_report(counted)):
                    await self._report(held)
            next_offset = message.offset + 1
            await self._table.write(self.partition, self.assembler.changes(next_offset), next_offset)
        await ack(event)

    def _decode(self, message: FaustMessage) -> WindowSketched | None:
        try:
            event, _ = decode_event(message.value, tuple(message.headers or ()))
            if not isinstance(event, WindowSketched):
                raise InvalidMessage(f"{type(event).__name__} is no sketch")
        except InvalidMessage as exc:
            self._invalid += 1
            log.warning("sketch-rejected", topic=message.topic, partition=message.partition, offset=message.offset, reason=str(exc))
            metrics.QUARANTINED.labels(message.topic).inc()
            if self._invalid >= MAX_INVALID_IN_A_ROW:
                raise ConfigurationError(f"{self._invalid} invalid messages in a row on {message.topic}: look at who writes there") from exc
            return None
        self._invalid = 0
        return event

    async def _report(self, held: AssembledWindow) -> None:
        reports = await self._compare(held)
        for report in reports:
            await asyncio.to_thread(self._publish, report)
        self.assembler.reported(held, reports)

    async def _compare(self, held: AssembledWindow) -> list[DriftReported]:
        attempt = 0
        while True:
            try:
                return drift_reports(self._project, held.window, held.revision + 1, held.by_partition, self._profiles.profile)
            except ProfileNeeded as needed:
                try:
                    await asyncio.to_thread(self._profiles.load, needed.version)
                except TransientError as exc:
                    attempt += 1
                    log.warning("profile-not-loaded", version=needed.version, attempt=attempt, reason=str(exc))
                    await asyncio.sleep(min(5.0, 0.1 * 2**attempt))

    def _publish(self, report: DriftReported) -> None:
        cause = caused_id("drift", report.stream, report.window.start, report.window.end, report.version, report.revision)
        self._publisher.publish(DRIFT_REPORTS, report, key=report.model, id=cause)
