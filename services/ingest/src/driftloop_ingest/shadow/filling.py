"""A stream's inferences on their way into the table of shadow rows: one writer, and the worker that feeds it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from driftloop.contracts import topics
from driftloop.errors import TransientError
from driftloop.lake.table import LakeTable
from driftloop.ports import Clock, MessageConsumer, TopicPartition
from driftloop.project.model import Project
from driftloop.service.broker import Broker
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop
from driftloop.service.topic_ends import RequestsEnds
from driftloop_ingest.handlers import IngestHandler
from driftloop_ingest.settings import FlushLimits
from driftloop_ingest.shadow.challengers import Challengers
from driftloop_ingest.shadow.intake import MAX_LAG, ShadowIntake
from driftloop_ingest.shadow.progress import Account
from driftloop_ingest.stream_requests import StreamRequests
from driftloop_ingest.table_writer import Outputs, TableWriter

MAX_POLL_INTERVAL_SECONDS = 300  # a batch scored by a slow model, or a flush against a store that answers slowly


class ShadowHandler(IngestHandler):
    """Ingest's, which also tells ``account`` which partitions are read to their end."""

    consumer: MessageConsumer
    account: Account

    def on_tick(self) -> None:
        super().on_tick()
        self.account.at_end(frozenset(tp for tp in self.consumer.assignment() if self._at_end(tp)))

    def _at_end(self, tp: TopicPartition) -> bool:
        end, position = self.consumer.last_known_end(tp), self.consumer.last_position(tp)
        return end is not None and position is not None and position >= end


class ShadowFilling:
    """Joins the group ``shadow-<stream>``. ``newer``: as ingest's intake has it. Raises TransientError."""

    def __init__(
        self,
        project: Project,
        table: LakeTable,
        outputs: Outputs,
        limits: FlushLimits,
        *,
        broker: Broker,
        challengers: Challengers,
        account: Account,
        clock: Clock,
        newer: Callable[[], None],
        stop: Stop,
        max_lag: timedelta = MAX_LAG,
    ) -> None:
        stream, self._challengers, self._clock, self._max_lag = project.stream, challengers, clock, max_lag
        self._ends = RequestsEnds(broker.topics("shadow-requests"), project.requests_topic)
        requests = StreamRequests(project.requests_topic, table, self._ends, lambda: self._consumer)
        intake = ShadowIntake(
            project.schema, challengers, clock, account, requests=requests, newer=newer, max_lag=max_lag, topic=project.requests_topic
        )
        self._topic = topics.inferences(stream)
        writer = TableWriter(table, self._topic, intake, outputs, limits, self._give_up, begins_at=self._begins_at)
        self.handler = ShadowHandler(
            [writer], beginning_offsets=self._beginning_offsets, topic_id=broker.topic_id, next_poll=requests.next_poll
        )
        self._worker = PartitionWorker(self.handler, stop=stop)
        self._consumer = broker.member(
            f"shadow-{stream}", [self._topic], listener=self._worker, max_poll_interval_seconds=MAX_POLL_INTERVAL_SECONDS
        )
        self.handler.consumer, self.handler.account = self._consumer, account

    def run(self) -> None:
        """Until a stop is requested; then drains."""
        try:
            self._worker.run(self._consumer)
        finally:
            with suppress(TransientError):
                self._ends.close()

    def _begins_at(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Messages of before are not answered for, and need not be read."""
        now, since = int(self._clock.now().timestamp() * 1000), self._challengers.since_ms()
        oldest = max(now - self._max_lag // timedelta(milliseconds=1), now if since is None else since)
        found = self._consumer.offsets_at([TopicPartition(self._topic, partition) for partition in partitions], oldest)
        return {tp.partition: offset for tp, offset in found.items()}

    def _give_up(self, tps: frozenset[TopicPartition]) -> None:
        self._worker.reseek(tps)

    def _beginning_offsets(self, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return self._consumer.beginning_offsets(tps)
