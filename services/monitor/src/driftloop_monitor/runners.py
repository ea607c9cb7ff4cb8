"""What works on a partition, made from the values that its table holds."""

from collections.abc import Awaitable, Callable
from typing import Any

from driftloop.contracts.topics import WINDOW_SKETCHES
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import PartitionState, stored_state
from driftloop.ports import Clock, EventPublisher, MessageProducer, ObjectStore, TopicInfo
from driftloop.project.model import Project
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.topic_ends import AskedEnds, RequestsEnds
from driftloop.telemetry import get_logger
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.partition_runner import PartitionRunner
from driftloop_monitor.profiles import Profiles

log = get_logger(__name__)


class Runners:
    """``inferences`` and ``sketches`` are the topics as they are now."""

    def __init__(
        self,
        project: Project,
        *,
        inferences: TopicInfo,
        sketches: TopicInfo,
        profiles: Profiles,
        publisher: EventPublisher,
        quarantine: MessageProducer,
        store: ObjectStore,
        gaps: AcceptedGaps,
        requests: RequestsEnds,
        inferences_ends: AskedEnds,
        clock: Clock,
    ) -> None:
        self._project, self._inferences, self._sketches = project, inferences, sketches
        self._profiles, self._publisher = profiles, publisher
        self._quarantine, self._store, self._gaps, self._requests = quarantine, store, gaps, requests
        self._inferences_ends, self._clock = inferences_ends, clock

    def of_inferences(self, partition: int, table: DurableTable, ack: Callable[[Any], Awaitable[Any]]) -> PartitionRunner:
        """Goes on from the table's value; where there is none, from where the consumer was put."""
        values, topic = table.open(partition), self._inferences
        placed = values.placed
        state = stored_state(values.found) or PartitionState(topic_id=topic.id, next_offset=placed)
        if state.topic_id != topic.id:
            log.warning("topic-made-anew", partition=partition, was=state.topic_id, now=topic.id, begins_at=placed)
        fold = PartitionFold(self._project, partition, topic.partitions, self._profiles.counter, state.on_topic(topic.id, placed))
        fold.go_on_from(placed)  # beyond the stored offset only after a gap that was given up
        if fold.new_plan:
            log.warning("windows-declared-anew", stream=self._project.stream, partition=partition, from_time=str(fold.begins_at))
        return PartitionRunner(
            fold,
            stream=self._project.stream,
            values=values,
            profiles=self._profiles,
            publisher=self._publisher,
            quarantine=self._quarantine,
            store=self._store,
            gaps=self._gaps,
            requests=self._requests,
            ack=ack,
        )

    def after_gaps(self, topic: str, partition: int, offset: int, earliest: int) -> int:
        """Where to go on from ``offset`` when the messages before ``earliest`` have expired. Raises TransientError.

        Messages of ``inferences`` are waited for until they are given up. Sketches nobody can give up, and a topic that all projects
        share may have lost others' alone while this one was down: what they would have told is told without them.
        """
        if topic == WINDOW_SKETCHES:
            log.error(
                "sketches-expired", partition=partition, start=offset, end=earliest, meaning="their windows are reported without them"
            )
            return earliest
        return self._gaps.after(self._inferences.id, partition, offset)

    def of_window_counts(self, partition: int, table: DurableTable) -> AssemblyRunner:
        values, topic_id = table.open(partition), self._sketches.id
        return AssemblyRunner(
            self._project,
            partition,
            topic_id=topic_id,
            values=values,
            profiles=self._profiles,
            publisher=self._publisher,
            inferences=self._inferences_ends,
            clock=self._clock,
        )
