"""Agent 2's work: put partitions' counts together, report complete windows, store what is known of them, acknowledge."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from driftloop import metrics
from driftloop.contracts.codec import caused_id, decode_event
from driftloop.contracts.events import DriftReported, PerformanceReported, WindowSketched
from driftloop.contracts.topics import DRIFT_REPORTS, INCIDENTS
from driftloop.contracts.windows import shifted
from driftloop.errors import ConfigurationError, InvalidMessage, OutOfTurn, TransientError
from driftloop.monitoring.assembled_window import AssembledWindow
from driftloop.monitoring.assembly import WindowAssembler
from driftloop.monitoring.drift import drift_reports
from driftloop.monitoring.incidents import event_id
from driftloop.monitoring.partition_fold import ProfileNeeded
from driftloop.monitoring.sketch_check import check_place, check_sketch
from driftloop.ports import Clock, EventPublisher, TopicEnds
from driftloop.project.model import Project
from driftloop.service.attempts import Attempts, unforeseen
from driftloop.service.event_worker import INVALID_IN_A_ROW, INVALID_SECONDS
from driftloop.service.topic_ends import AskedEnds
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.durable_table import PartitionValues
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.faust_support.records import hole_before, plain_headers
from driftloop_monitor.partition_runner import FaustMessage
from driftloop_monitor.profiles import Profiles

T = TypeVar("T")

log = get_logger(__name__)


class AssemblyRunner:
    """The windows that one partition of ``window-sketches`` tells of, as its table has them."""

    def __init__(
        self,
        project: Project,
        partition: int,
        *,
        topic_id: str,
        values: PartitionValues,
        profiles: Profiles,
        publisher: EventPublisher,
        inferences: AskedEnds,
        clock: Clock,
    ) -> None:
        self._project, self.partition, self._values = project, partition, values
        self._profiles, self._publisher, self._inferences, self._clock = profiles, publisher, inferences, clock
        self.assembler = WindowAssembler(project.stream, values.found, topic_id)
        if values.placed > self.assembler.cursor.next_offset:  # what expired before that is not to come any more
            self.assembler.cursor.next_offset = values.placed
        self._early, self._attempts = EarlyMessages(), Attempts()
        self._invalid = 0
        self._invalid_seconds = INVALID_SECONDS
        self._handling = asyncio.Lock()

    async def handle(self, event: Any, ack: Callable[[Any], Awaitable[Any]]) -> None:
        """Handle one message to its end. A repeat changes nothing; a repeat after a crash makes the same reports again.

        Raises OutOfTurn when sketches were skipped: windows would be reported without them.
        """
        async with self._handling:
            await self._handle(event, ack)

    async def remember(self, reports: Sequence[PerformanceReported], lake_seen: Mapping[str, int] = MappingProxyType({})) -> None:
        """Store what was reported of windows' performance, and up to where the lake was looked at for forgotten windows: at once, or
        with the sketch that is being handled."""
        for report in reports:
            self.assembler.measured(report)
        cursor = self.assembler.cursor
        farther = bool(lake_seen) and self.assembler.forgotten is not None and lake_seen != cursor.lake_seen
        if farther:
            cursor.lake_seen = dict(lake_seen)
        if (reports or farther) and not self._handling.locked():  # else the sketch may be half in, and its offset is not
            async with self._handling:
                await self._values.write(self.assembler.changes(cursor.next_offset), cursor.next_offset)

    async def _handle(self, event: Any, ack: Callable[[Any], Awaitable[Any]]) -> None:
        message: FaustMessage = event.message
        cursor, hole = self.assembler.cursor, hole_before(message)
        if hole is not None and hole <= cursor.next_offset < message.offset:
            cursor.next_offset = message.offset
        due = cursor.next_offset
        if self._early.is_one(message.offset, due):
            return
        if message.offset > due:
            raise OutOfTurn(f"{message.topic}[{self.partition}]: sketch {message.offset} came where {due} was due")
        if message.offset == due:
            await self._take_up(message)
            next_offset = message.offset + 1
            await self._values.write(self.assembler.changes(next_offset), next_offset)
        await ack(event)

    async def _take_up(self, message: FaustMessage) -> None:
        metrics.MESSAGES.labels(message.topic).inc()
        while True:
            try:
                await self._add(message)
                self._invalid = 0
                break
            except InvalidMessage as exc:
                await self._pass_over(message, str(exc))
                break
            except Exception as exc:  # one sketch must not stop the others; known kinds are raised again
                pause = self._attempts.again(message.offset, exc)
                log.error("sketch-failed", exc_info=True, topic=message.topic, partition=message.partition, offset=message.offset)
                if pause is None:
                    await self._pass_over(message, unforeseen(exc))
                    break
                await asyncio.sleep(pause)

    async def _add(self, message: FaustMessage) -> None:
        """Put the counts in their place and report what is complete by them; after an error it is as if they had never come."""
        counted, _ = decode_event(message.value, plain_headers(message))
        if not isinstance(counted, WindowSketched):
            raise InvalidMessage(f"{type(counted).__name__} is no sketch")
        if counted.stream != self._project.stream:
            return
        await self._check_place(counted)
        await self._with_profiles(lambda: check_sketch(counted, self._profiles.profile))
        standing = self.assembler.standing(counted)
        try:
            if self.assembler.add(counted):
                for held in list(self.assembler.to_report(counted)):
                    await self._report(held)
        except BaseException:
            self.assembler.take_back(counted, standing)
            raise

    async def _check_place(self, counted: WindowSketched) -> None:
        ahead = self._project.ahead  # of the clock, that a watermark may be; and windows of before end with what had reached them
        latest = None if ahead is None else shifted(self._clock.now(), ahead + self._project.allowed_lateness)
        try:
            check_place(counted, self._inferences.known, latest)
        except InvalidMessage:
            check_place(counted, await self._ask_for_ends(), latest)

    async def _ask_for_ends(self) -> TopicEnds:
        attempt = 0
        while True:
            try:
                return await asyncio.to_thread(self._inferences.ask)
            except (TransientError, ConfigurationError) as exc:  # the topic may just be being made anew
                attempt += 1
                metrics.RETRIES.labels("inferences-ends").inc()
                log.warning("ends-not-known", attempt=attempt, reason=str(exc))
                await asyncio.sleep(min(5.0, 0.1 * 2**attempt))

    async def _pass_over(self, message: FaustMessage, reason: str) -> None:
        """The topic is kept for weeks: the sketch stays where it is, and its coordinates are in the log."""
        self._invalid += 1
        log.warning("sketch-rejected", topic=message.topic, partition=message.partition, offset=message.offset, reason=reason)
        metrics.QUARANTINED.labels(message.topic).inc()
        if self._invalid >= INVALID_IN_A_ROW:  # a bad deploy must not drain the topic
            log.error("sketches-invalid-in-a-row", topic=message.topic, offset=message.offset, count=self._invalid)
            await asyncio.sleep(self._invalid_seconds)

    async def _report(self, held: AssembledWindow) -> None:
        reports = await self._compare(held)
        for report in reports:
            await asyncio.to_thread(self._publish, report)
        for incident in self.assembler.incidents(held, reports):
            await asyncio.to_thread(self._publisher.publish, INCIDENTS, incident, key=incident.model, id=event_id(incident))
        lost = self.assembler.forgotten_undecided
        self.assembler.reported(held, reports)
        if self.assembler.forgotten_undecided > lost:
            log.error("windows-forgotten-undecided", stream=self._project.stream, windows=self.assembler.forgotten_undecided)

    async def _compare(self, held: AssembledWindow) -> list[DriftReported]:
        return await self._with_profiles(
            lambda: drift_reports(self._project, held.window, held.revision + 1, held.by_partition, self._profiles.profile)
        )

    async def _with_profiles(self, work: Callable[[], T]) -> T:
        attempt = 0
        while True:
            try:
                return work()
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
