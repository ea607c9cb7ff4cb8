"""The faust app: three agents and two tables."""

import asyncio
from functools import partial
from typing import Any

import faust

from driftloop.contracts import topics
from driftloop.contracts.topics import ASSEMBLIES, FOLDS, MIB
from driftloop.monitoring.assembly import stored_offset as assembled_offset
from driftloop.monitoring.partition_state import stored_offset as folded_offset
from driftloop.ports import TopicInfo
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.broker_security import credentials
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.failure import Failure
from driftloop_monitor.faust_support.guarded_consumer import guarded_consumer
from driftloop_monitor.faust_support.shown_progress import ShownProgress
from driftloop_monitor.partition_runner import FLUSH_SECONDS, PartitionRunner
from driftloop_monitor.runners import Runners
from driftloop_monitor.settings import MonitorSettings


class Monitor:
    """The app and what runs in it."""

    def __init__(
        self, settings: MonitorSettings, stream: str, runners: Runners, *, inferences: TopicInfo, sketches: TopicInfo, failure: Failure
    ) -> None:
        """``inferences`` and ``sketches``: the topics as they are now. Others are for the next start: see ``source_topics``."""
        self.stream, self._runners, self._failure = stream, runners, failure
        self._partitions = {topics.inferences(stream): inferences.partitions, topics.WINDOW_SKETCHES: sketches.partitions}
        self.app = _new_app(settings, stream)
        self.inferences, self.sketches = topics.inferences(stream), topics.WINDOW_SKETCHES
        self.folds_table = DurableTable(
            self._table(FOLDS, inferences.partitions), partial(folded_offset, topic_id=inferences.id), name=FOLDS
        )
        assembled = partial(assembled_offset, topic_id=sketches.id)
        self.assemblies_table = DurableTable(self._table(ASSEMBLIES, sketches.partitions), assembled, name=ASSEMBLIES)
        self.folds: dict[int, PartitionRunner] = {}
        self.assemblies: dict[int, AssemblyRunner] = {}
        self.lake_changed = asyncio.Event()
        guards = {self.inferences: self.folds_table, self.sketches: self.assemblies_table}
        self._shown = ShownProgress(guards)
        self.app.transport.Consumer = guarded_consumer(guards, failure, runners.after_gaps)
        self._agent(self._fold, self.inferences, "fold", isolated=True)
        self._agent(self._assemble, self.sketches, "assemble", isolated=True)
        self._agent(self._lake, topics.DATASET_VERSIONS, "lake", isolated=False)

    def settled(self) -> bool:
        """Whether partitions are assigned and their tables recovered. For the event loop's thread only: faust makes some of
        its parts when they are first asked for, and binds them to the loop of the thread that asks."""
        app = self.app
        return bool(app.started and not app.rebalancing and not app.in_recovery and app.tables.recovery.completed.is_set())

    def own_assemblies(self) -> list[AssemblyRunner]:
        """Those of the partitions that this worker owns now; only one of them has windows of the stream."""
        if not self.settled():
            return []
        owned = {tp.partition for tp in self.app.consumer.assignment() if tp.topic == self.sketches}
        return [self._assembly(partition) for partition in sorted(owned)]

    def show_progress(self) -> None:
        """As metrics, for the partitions that this worker owns now. For the event loop's thread only."""
        if self.settled():
            self._shown.show(self.app.consumer)

    async def flush(self) -> None:
        for runner in list(self.folds.values()):
            await runner.flush()

    def _assembly(self, partition: int) -> AssemblyRunner:
        if partition not in self.assemblies:
            self.assemblies[partition] = self._runners.of_window_counts(partition, self.assemblies_table)
        return self.assemblies[partition]

    def _table(self, name: str, partitions: int) -> Any:
        changelog = self.app.topic(
            topics.changelog(self.stream, name),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=partitions,
            acks=False,
            internal=True,
        )
        return self.app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions, changelog_topic=changelog)

    def _agent(self, work: Any, topic: str, name: str, *, isolated: bool) -> None:
        source = self.app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        self.app.agent(source, name=name, isolated_partitions=isolated)(work)

    async def _fold(self, stream: Any) -> None:
        runner: PartitionRunner | None = None
        flusher: asyncio.Task[None] | None = None
        try:
            async for event in stream.noack().events():
                await self._check_partition(event.message)
                if runner is None:
                    runner = self._runners.of_inferences(event.message.partition, self.folds_table, stream.ack)
                    self.folds[event.message.partition] = runner
                    flusher = asyncio.create_task(self._guard(runner.flush_for_ever()))
                await self._guard(runner.handle(event))
        finally:
            if flusher is not None:
                flusher.cancel()
            if runner is not None and self.folds.get(runner.fold.partition) is runner:
                del self.folds[runner.fold.partition]

    async def _assemble(self, stream: Any) -> None:
        partition: int | None = None
        try:
            async for event in stream.noack().events():
                partition = event.message.partition
                await self._check_partition(event.message)
                await self._guard(self._assembly(partition).handle(event, stream.ack))
        finally:
            for tp in stream.active_partitions or ():
                self.assemblies.pop(tp.partition, None)
            if partition is not None:
                self.assemblies.pop(partition, None)

    async def _lake(self, stream: Any) -> None:
        async for event in stream.events():  # only a hint that something happened: what, the lake itself says
            if event.message.key == self.stream.encode():
                self.lake_changed.set()

    async def _check_partition(self, message: Any) -> None:
        """The tables have no place for a partition that came after the start; the next start makes one."""
        if message.partition >= self._partitions[message.topic]:
            await self._failure.start_again(f"{message.topic} has more partitions than the {self._partitions[message.topic]} at the start")

    async def _guard(self, work: Any) -> None:
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - whatever it is, going on would acknowledge what was not done
            await self._failure.halt(exc)


def _new_app(settings: MonitorSettings, stream: str) -> Any:
    common = settings.common
    folder = common.state_dir / common.instance
    folder.mkdir(parents=True, exist_ok=True)
    return faust.App(
        f"monitor-{stream}",
        broker=[f"aiokafka://{server}" for server in common.kafka_bootstrap.split(",")],
        broker_credentials=credentials(common.kafka_security),
        broker_client_id=common.instance,
        datadir=str(folder),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,  # they exist: see changelogs.py
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 4,
        broker_request_timeout=max(30.0, settings.session_timeout_seconds),
        broker_rebalance_timeout=30.0,
        broker_max_poll_interval=settings.max_poll_interval_seconds,
        broker_commit_interval=2 * FLUSH_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=8 * MIB,
        producer_max_request_size=8 * MIB + 64 * 1024,
        stream_buffer_maxsize=64,  # messages per partition: each may hold a thousand rows
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        logging_config=None,
        loghandlers=[],
    )
