"""One stream on its way into the lake: the writers of its two tables, and the worker that feeds them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pyarrow as pa

from driftloop.contracts import topics
from driftloop.errors import TransientError
from driftloop.lake.table import LakeTable
from driftloop.ports import Clock, Schemas, TopicPartition
from driftloop.project.model import Project
from driftloop.rows.existing.labels import ExistingLabels
from driftloop.service.broker import Broker
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop
from driftloop.service.topic_ends import RequestsEnds
from driftloop_ingest.handlers import IngestHandler
from driftloop_ingest.intake import InferenceIntake, Intake, LabelIntake
from driftloop_ingest.settings import FlushLimits
from driftloop_ingest.stream_requests import StreamRequests
from driftloop_ingest.table_writer import Outputs, TableWriter

MAX_POLL_INTERVAL_SECONDS = 300  # a flush against a store that answers slowly


class Filling:
    """Joins the stream's group. ``tables``: inferences and labels. ``newer``: as for ``InferenceIntake``. Raises TransientError."""

    def __init__(
        self,
        project: Project,
        tables: tuple[LakeTable, LakeTable],
        outputs: Outputs,
        limits: FlushLimits,
        *,
        broker: Broker,
        clock: Clock,
        newer: Callable[[], None],
        stop: Stop,
        schemas: Schemas | None = None,
    ) -> None:
        (inferences, labels), stream = tables, project.stream

        def writer(table: LakeTable, topic: str, intake: Intake) -> TableWriter:
            return TableWriter(table, topic, intake, outputs, limits, self._give_up)

        stored = pa.schema([field for field in inferences.schema if field.name not in ("partition", "offset")])
        lateness, ahead = project.allowed_lateness, project.ahead
        self._ends = RequestsEnds(broker.topics("requests"), project.requests_topic)
        requests = StreamRequests(project.requests_topic, inferences, self._ends, lambda: self._consumer)
        intake = InferenceIntake(
            project.schema, lateness, clock, ahead=ahead, stored=stored, newer=newer, requests=requests, topic=project.requests_topic
        )
        of_labels = ExistingLabels(project.schema, project.labels, schemas) if project.labels is not None else None
        label_intake = LabelIntake(project.schema, lateness, clock, ahead=ahead, decoder=of_labels)
        self.handler = IngestHandler(
            [writer(inferences, topics.inferences(stream), intake), writer(labels, project.labels_topic, label_intake)],
            beginning_offsets=self._beginning_offsets,
            topic_id=broker.topic_id,
            next_poll=requests.next_poll,
        )
        self._worker = PartitionWorker(self.handler, stop=stop)
        self._consumer = broker.member(
            f"ingest-{stream}",
            [topics.inferences(stream), project.labels_topic],
            listener=self._worker,
            max_poll_interval_seconds=MAX_POLL_INTERVAL_SECONDS,
        )

    def run(self) -> None:
        """Until a stop is requested; then drains."""
        try:
            self._worker.run(self._consumer)
        finally:
            with suppress(TransientError):
                self._ends.close()

    def _give_up(self, tps: frozenset[TopicPartition]) -> None:
        self._worker.reseek(tps)

    def _beginning_offsets(self, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return self._consumer.beginning_offsets(tps)
