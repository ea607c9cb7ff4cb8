"""A stream in memory with predictors over it."""

from collections.abc import Sequence
from datetime import timedelta

from tests.unit.predictor.samples import START, sample_project

from driftloop.adapters.memory import FixedClock, MemoryBroker, MemoryProducer, MemoryStore
from driftloop.contracts.headers import RequestRange, request_range
from driftloop.contracts.topics import inferences, quarantine, requests
from driftloop.errors import TransientError
from driftloop.ports import MessageProducer, Record, TopicPartition
from driftloop.project.model import Project
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.idle import IdlePartitions
from driftloop_predictor.positions import Positions
from driftloop_predictor.progress import StreamProgress


class FailingProducer(MemoryProducer):
    """Delivers nothing from the ``after``-th flush on, and says so, as the real one does."""

    def __init__(self, broker: MemoryBroker, after: int = 0) -> None:
        super().__init__(broker)
        self._left = after

    def flush(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TransientError("not delivered")


class MemoryEdge:
    """Broker, topics and clock of one stream."""

    def __init__(self, name: str = "edge", partitions: int = 2) -> None:
        self.broker = MemoryBroker()
        self.project: Project = sample_project(name)
        self.store = MemoryStore()
        self.clock = FixedClock(START + timedelta(hours=2))
        self.topic_id = "first"
        self.now = 0.0
        for topic in (requests(name), inferences(name), quarantine(name)):
            self.broker.create_topic(topic, partitions)
        self.tps = frozenset(self.broker.partitions(requests(name)))

    def handler(
        self, *, producer: MessageProducer | None = None, idle_seconds: float = float("inf"), grace: timedelta | None = None
    ) -> RequestHandler:
        name = self.project.stream
        gaps = AcceptedGaps(self.store, name)
        positions = Positions(
            self.broker.reader,
            lambda _: self.topic_id,
            lambda topic: len(self.broker.partitions(topic)),
            requests=requests(name),
            inferences=inferences(name),
            after_gaps=gaps.after,
        )
        return RequestHandler(
            self.project,
            topic=positions,
            producer=producer or self.broker.producer(),
            store=self.store,
            serving=lambda: None,
            idle=IdlePartitions(idle_seconds, timedelta(seconds=10), grace=grace, replay=self.project.clock == "replay"),
            progress=StreamProgress(self.broker.reader, inferences(name), lambda: len(self.tps), self.project.ahead).newest,
            clock=self.clock,
            monotonic=lambda: self.now,
        )

    def tp(self, partition: int) -> TopicPartition:
        return TopicPartition(requests(self.project.stream), partition)

    def send(self, values: Sequence[bytes | None], partition: int = 0, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        for value in values:
            self.broker.producer().send(requests(self.project.stream), value, partition=partition, headers=headers)

    def unread(self, partition: int, start: int = 0) -> list[Record]:
        return self.broker.read(self.tp(partition), start, 10**6)

    def feed(self, handler: RequestHandler, partition: int, start: int = 0) -> None:
        """What a worker does in one poll, and the tick after the batch's time is up."""
        handler.on_records(self.tp(partition), self.unread(partition, start))
        self.now += 1.0
        handler.on_tick()
        handler.on_tick()

    def written(self, partition: int) -> list[Record]:
        return [r for r in self.broker.records(inferences(self.project.stream)) if r.partition == partition]

    def ranges(self, partition: int) -> list[RequestRange]:
        return [found for r in self.written(partition) if (found := request_range(r.headers)) is not None]
