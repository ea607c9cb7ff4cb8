"""The parts of one worker, put together and run in one event loop."""

import asyncio
import itertools
from typing import Any

from driftloop.adapters.kafka import KafkaTopics, Producer, Publisher, add_partitions, create_topics
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.topics import ASSEMBLIES, FOLDS, inferences
from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.monitoring import challengers
from driftloop.monitoring.assembly import decided_up_to
from driftloop.monitoring.performance import columns
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryReader
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.process import EXIT_RESTART, Stop
from driftloop.service.topic_ends import AskedEnds, RequestsEnds
from driftloop.telemetry import get_logger
from driftloop_monitor.app import Monitor
from driftloop_monitor.decider import Decider
from driftloop_monitor.faust_support.changelogs import changelogs
from driftloop_monitor.faust_support.failure import Failure
from driftloop_monitor.history import model_history
from driftloop_monitor.lake_view import LakeView
from driftloop_monitor.profiles import Profiles
from driftloop_monitor.runners import Runners
from driftloop_monitor.settings import MonitorSettings
from driftloop_monitor.shadow_view import ShadowView
from driftloop_monitor.shown_policy import ShownPolicy
from driftloop_monitor.source_topics import SourceTopics
from driftloop_monitor.status import MonitorStatus
from driftloop_monitor.unsettled import Unsettled

DECIDE_SECONDS = 0.5  # between two looks, when the lake says that it changed
TOPICS_SECONDS = 5.0  # between two looks whether the topics are those of the start
LOOK_SECONDS, SHOWN_EVERY = 0.1, 10  # whether it runs; its progress with every tenth look
IDLE_SECONDS = 2.0  # between two looks without a hint

log = get_logger(__name__)


class Wiring:
    """One worker of one project."""

    def __init__(self, settings: MonitorSettings, project: Project, registry: RegistryReader, status: MonitorStatus, stop: Stop) -> None:
        common = settings.common
        kafka, stream = common.kafka, project.stream
        self._project, self._stop, self._status = project, stop, status
        self.failure = Failure(stop)
        broker = KafkaTopics(kafka, client_id=f"monitor-topics-{common.instance}")
        self._sources, self._inferences_ends = SourceTopics(broker, stream, project.labels_topic), AskedEnds(broker, inferences(stream))
        self._requests = RequestsEnds(broker, project.requests_topic)
        tables = changelogs(stream, {FOLDS: self._sources.inferences.partitions, ASSEMBLIES: self._sources.sketches.partitions})
        create_topics(kafka, tables, replication=common.replication)
        add_partitions(kafka, {table.name: table.partitions for table in tables})  # a value stays in the partition that it is of
        self._producer = Producer(kafka, client_id=f"monitor-{common.instance}")
        self._publisher = Publisher(self._producer, source="driftloop/monitor")
        self._store = MinioObjectStore(common.s3)
        self._profiles = Profiles(project.model, registry, self._store)
        self._history, self._follower = model_history(
            KafkaTopics(kafka, client_id=f"monitor-history-{common.instance}"), project.model, common.state_dir / common.instance
        )
        folder, found = common.state_dir / common.instance, self._sources
        lake = LakeView(common.s3, stream, found.inferences.id, found.labels.partitions, columns(project), folder=folder)
        shadow = ShadowView(common.s3, stream, challengers.columns(project), folder=folder)
        self._decider = Decider(
            project, lake, self._history, self._publisher, SystemClock(), self._follower.sync, self._profiles.known, shadow
        )
        self._shown = ShownPolicy(project, self._history, SystemClock())
        self._settings = settings

    async def run(self) -> None:
        """Until a stop is requested; then store what was folded and leave the group."""
        monitor = self._new_monitor()
        self._status.project, self._status.history, self._status.monitor = self._project.name, self._history, monitor
        self._status.policy = self._shown
        self._follower.start()
        starting = asyncio.create_task(monitor.app.start())  # returns when the tables are recovered
        deciding = asyncio.create_task(self._decide_for_ever(monitor), name="deciding")
        watching = asyncio.create_task(self._watch_topics(), name="watching topics")
        looks, unsettled = itertools.count(1), Unsettled(self._settings.max_unsettled_seconds)
        while not self._stop.requested() and not monitor.app.crashed:
            await asyncio.sleep(LOOK_SECONDS)
            self._status.settled = monitor.settled()
            if unsettled.too_long(settled=self._status.settled):
                seconds = self._settings.max_unsettled_seconds
                log.error("starting-again", reason=f"partitions were not settled for {seconds} s")
                self._stop.request(EXIT_RESTART)
            if next(looks) % SHOWN_EVERY == 0:
                monitor.show_progress()
            if starting.done() and starting.exception() is not None:
                break
            if (ended := ended_early(deciding, watching)) is not None:
                self.failure.reason = self.failure.reason or ended
                break
        if monitor.app.crashed or (starting.done() and starting.exception() is not None):
            reason = monitor.app.crash_reason or starting.exception()
            self.failure.reason = self.failure.reason or TransientError(f"faust stopped: {reason!r}")
        deciding.cancel()
        watching.cancel()
        await _within(4.0, monitor.flush(), "flush")
        await _within(4.0, monitor.app.stop(), "leaving the group")
        starting.cancel()
        self._follower.stop()

    def _new_monitor(self) -> Monitor:
        runners = Runners(
            self._project,
            inferences=self._sources.inferences,
            sketches=self._sources.sketches,
            profiles=self._profiles,
            publisher=self._publisher,
            quarantine=self._producer,
            store=self._store,
            gaps=AcceptedGaps(self._store, self._project.stream),
            requests=self._requests,
            inferences_ends=self._inferences_ends,
            clock=SystemClock(),
        )
        return Monitor(
            self._settings,
            self._project.stream,
            runners,
            inferences=self._sources.inferences,
            sketches=self._sources.sketches,
            failure=self.failure,
        )

    async def _watch_topics(self) -> None:
        while True:
            await asyncio.sleep(TOPICS_SECONDS)
            changed = await asyncio.to_thread(self._sources.changed)
            if changed is not None:
                await self.failure.start_again(changed)

    async def _decide_for_ever(self, monitor: Monitor) -> None:
        while True:
            try:
                await asyncio.wait_for(monitor.lake_changed.wait(), IDLE_SECONDS)
                await asyncio.sleep(DECIDE_SECONDS)
            except TimeoutError:
                pass
            monitor.lake_changed.clear()
            owned = monitor.own_assemblies()
            waiting = list[Window]()
            for runner in owned:
                complete = runner.assembler.complete()
                undecided = [held.window for held in self._decider.undecided(complete)]
                runner.assembler.decided_up_to = decided_up_to(complete, undecided)
                waiting += undecided
            self._shown.undecided(waiting)
            for runner in owned:
                windows, lake_seen = runner.assembler, runner.assembler.cursor.lake_seen
                try:
                    await asyncio.to_thread(self._decider.step, windows.complete(), windows.forgotten, lake_seen)
                    self._status.last_error = None
                except TransientError as exc:
                    self._status.last_error = str(exc)
                    log.warning("judging-postponed", reason=str(exc))
                    if self._producer.failed:
                        await self.failure.halt(exc)
                except Exception as exc:  # noqa: BLE001 - the loop must not die silently while counting goes on
                    await self.failure.halt(exc)
                told = self._decider.take_told()
                if monitor.assemblies.get(runner.partition) is runner:  # else another worker goes on, and measures again
                    await runner.remember(told, self._decider.lake_seen)


def ended_early(*tasks: "asyncio.Task[None]") -> TransientError | None:
    """For tasks that go on until they are cancelled: the first that has ended, and of what. Counting alone would look healthy."""
    for task in tasks:
        if task.done() and not task.cancelled():
            return TransientError(f"{task.get_name()} has ended: {task.exception()!r}")
    return None


async def _within(seconds: float, work: Any, doing: str) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        log.warning("not-finished-in-time", doing=doing, seconds=seconds)
