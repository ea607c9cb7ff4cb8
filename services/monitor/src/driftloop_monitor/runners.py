"""What works on a partition, made from the values that its table holds."""

from collections.abc import Awaitable, Callable
from typing import Any

from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, decode_state
from driftloop.ports import EventPublisher, MessageProducer, ObjectStore
from driftloop.project.model import Project
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.partition_runner import PartitionRunner
from driftloop_monitor.profiles import Profiles


class Runners:
    """``topic_id`` and ``partitions`` are of the stream's inferences, as the topic is now."""

    def __init__(
        self,
        project: Project,
        *,
        topic_id: str,
        partitions: int,
        profiles: Profiles,
        publisher: EventPublisher,
        quarantine: MessageProducer,
        store: ObjectStore,
    ) -> None:
        self._project, self._topic_id, self._partitions = project, topic_id, partitions
        self._profiles, self._publisher = profiles, publisher
        self._quarantine, self._store = quarantine, store

    def of_inferences(self, partition: int, table: DurableTable, ack: Callable[[Any], Awaitable[Any]]) -> PartitionRunner:
        """Goes on from the table's value; where there is none, from where the consumer was put."""
        value = table.values(partition).get(STATE_KEY)
        fresh = PartitionState(topic_id=self._topic_id, next_offset=table.placed(partition))
        state = fresh if value is None else decode_state(value)
        return PartitionRunner(
            PartitionFold(self._project, partition, self._partitions, self._profiles.counter, state),
            stream=self._project.stream,
            table=table,
            profiles=self._profiles,
            publisher=self._publisher,
            quarantine=self._quarantine,
            store=self._store,
            ack=ack,
        )

    def of_window_counts(self, partition: int, table: DurableTable) -> AssemblyRunner:
        return AssemblyRunner(self._project, partition, table=table, profiles=self._profiles, publisher=self._publisher)
