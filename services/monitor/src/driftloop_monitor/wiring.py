"""The parts of one worker, put together and run in one event loop."""

import asyncio
from typing import Any

from driftloop.adapters.kafka import Producer, Publisher, partitions_of, topic_id
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts import topics
from driftloop.errors import TransientError
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, decode_state
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryReader
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger
from driftloop_monitor.app import BOARDS, FOLDS, Monitor
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.decider import Decider
from driftloop_monitor.faust_support.changelogs import create_changelogs
from driftloop_monitor.faust_support.failure import Failure
from driftloop_monitor.journal import Journal
from driftloop_monitor.journal_follower import JournalFollower
from driftloop_monitor.lake_view import LakeView
from driftloop_monitor.partition_runner import FoldRunner
from driftloop_monitor.profiles import Profiles
from driftloop_monitor.settings import MonitorSettings
from driftloop_monitor.status import MonitorStatus

DECIDE_SECONDS = 0.5  # between two looks, when the lake says that it changed
IDLE_SECONDS = 2.0  # between two looks without a hint

log = get_logger(__name__)


class Wiring:
    """One worker of one project."""

    def __init__(self, settings: MonitorSettings, project: Project, registry: RegistryReader, status: MonitorStatus, stop: Stop) -> None:
        common = settings.common
        bootstrap, stream = common.kafka_bootstrap, project.stream
        self._project, self._stop, self._status = project, stop, status
        self.failure = Failure(stop)
        self._partitions = partitions_of(bootstrap, topics.inferences(stream))
        self._sketch_partitions = partitions_of(bootstrap, topics.WINDOW_SKETCHES)
        tables = {FOLDS: self._partitions, BOARDS: self._sketch_partitions}
        create_changelogs(bootstrap, stream, tables, common.replication)
        self._producer = Producer(bootstrap, client_id=f"monitor-{common.instance}")
        self._publisher = Publisher(self._producer, source="driftloop/monitor")
        self._topic_id = topic_id(bootstrap, topics.inferences(stream))
        self._store = MinioObjectStore(common.s3)
        self._profiles = Profiles(project.model, registry, self._store)
        self._journal = Journal(project.model)
        self._follower = JournalFollower(bootstrap, self._journal, client_id=f"monitor-journal-{common.instance}")
        lake = LakeView(common.s3, stream, self._topic_id, partitions_of(bootstrap, topics.labels(stream)))
        self._judge = Decider(project, lake, self._journal, self._publisher, SystemClock(), self._follower.sync)
        self._settings = settings

    async def run(self) -> None:
        """Until a stop is requested; then store what was folded and leave the group."""
        monitor = self._new_monitor()
        self._status.project, self._status.journal, self._status.monitor = self._project.name, self._journal, monitor
        self._follower.start()
        starting = asyncio.create_task(monitor.app.start())  # returns when the tables are recovered
        judging = asyncio.create_task(self._decide_for_ever(monitor))
        while not self._stop.requested() and not monitor.app.crashed:
            await asyncio.sleep(0.1)
            self._status.settled = monitor.settled()
            if starting.done() and starting.exception() is not None:
                break
        if monitor.app.crashed or (starting.done() and starting.exception() is not None):
            reason = monitor.app.crash_reason or starting.exception()
            self.failure.reason = self.failure.reason or TransientError(f"faust stopped: {reason!r}")
        judging.cancel()
        await _within(4.0, monitor.flush(), "flush")
        await _within(4.0, monitor.app.stop(), "leaving the group")
        starting.cancel()
        self._follower.stop()

    def _new_monitor(self) -> Monitor:
        monitor = Monitor(
            self._settings,
            self._project.stream,
            partitions=self._partitions,
            sketch_partitions=self._sketch_partitions,
            failure=self.failure,
        )
        monitor.open_fold = lambda partition, ack: self._fold_runner(monitor, partition, ack)
        monitor.open_board = lambda partition: AssemblyRunner(
            self._project, partition, table=monitor.board_table, profiles=self._profiles, publisher=self._publisher
        )
        return monitor

    def _fold_runner(self, monitor: Monitor, partition: int, ack: Any) -> FoldRunner:
        value = monitor.folds_table.values(partition).get(STATE_KEY)
        fresh = PartitionState(topic_id=self._topic_id, next_offset=monitor.folds_table.placed(partition))
        state = fresh if value is None else decode_state(value)
        return FoldRunner(
            PartitionFold(self._project, partition, self._partitions, self._profiles.counter, state),
            stream=self._project.stream,
            table=monitor.folds_table,
            profiles=self._profiles,
            publisher=self._publisher,
            quarantine=self._producer,
            store=self._store,
            ack=ack,
        )

    async def _decide_for_ever(self, monitor: Monitor) -> None:
        while True:
            try:
                await asyncio.wait_for(monitor.lake_changed.wait(), IDLE_SECONDS)
                await asyncio.sleep(DECIDE_SECONDS)
            except TimeoutError:
                pass
            monitor.lake_changed.clear()
            for board in monitor.own_boards():
                try:
                    await asyncio.to_thread(self._judge.step, board.complete())
                    self._status.last_error = None
                except TransientError as exc:
                    self._status.last_error = str(exc)
                    log.warning("judging-postponed", reason=str(exc))
                    if self._producer.failed:
                        await self.failure.halt(exc)
                except Exception as exc:  # noqa: BLE001 - the loop must not die silently while counting goes on
                    await self.failure.halt(exc)


async def _within(seconds: float, work: Any, doing: str) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        log.warning("not-finished-in-time", doing=doing, seconds=seconds)
