"""Ingest built over any broker and the real store, run in a thread of the test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import MemoryBroker, SystemClock
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.schema import StreamSchema
from driftloop.lake.table import LakeTable
from driftloop.ports import MessageConsumer, MessageProducer, ObjectStore
from driftloop.rows.schemas import lake_schema
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop
from driftloop.settings import S3Settings
from driftloop_ingest.handlers import IngestHandler
from driftloop_ingest.intake import InferenceIntake, LabelIntake
from driftloop_ingest.settings import FlushLimits
from driftloop_ingest.table_writer import Outputs, TableWriter

QUICK = FlushLimits(rows=100, seconds=0.2, watermark_seconds=0.02)


class Ingest:
    """One ingest over a memory broker. ``run`` processes everything up to the topics' ends, or until it fails."""

    def __init__(
        self,
        broker: MemoryBroker,
        s3: S3Settings,
        schema: StreamSchema,
        *,
        limits: FlushLimits = QUICK,
        store: ObjectStore | None = None,
        table_s3: S3Settings | None = None,
        topic_ids: Callable[[str], str] = lambda topic: f"{topic}-id",
        producer: MessageProducer | None = None,
    ) -> None:
        self.broker, self.stream, self.stop = broker, schema.stream, Stop()
        producer = producer or broker.producer()
        outputs = Outputs(store or MinioObjectStore(s3), producer, Publisher(producer, source="driftloop/ingest"))
        clock, lateness = SystemClock(), timedelta(0)
        intakes = {"inferences": InferenceIntake(schema, lateness, clock), "labels": LabelIntake(schema, lateness, clock)}
        self.tables, self.writers = {}, []
        for name, intake in intakes.items():
            self.tables[name] = LakeTable.open(table_s3 or s3, schema.stream, name, lake_schema(schema, name))
            topic = f"{schema.stream}.{name}"
            self.writers.append(TableWriter(self.tables[name], topic, intake, outputs, limits, lambda tps: self.worker.reseek(tps)))
        self.handler = IngestHandler(self.writers, beginning_offsets=lambda tps: self.consumer.beginning_offsets(tps), topic_id=topic_ids)
        self.worker = PartitionWorker(self.handler, stop=self.stop)
        topics = [f"{schema.stream}.{name}" for name in intakes]
        self.consumer: MessageConsumer = broker.consumer(group="ingest", topics=topics, listener=self.worker)

    def caught_up(self) -> bool:
        """Whether everything in this member's partitions is durable."""
        owned = self.consumer.assignment()
        durable = self.handler.durable_offsets()
        return bool(owned) and all(durable.get(tp) == end for tp, end in self.consumer.end_offsets(sorted(owned)).items())

    def run_until_caught_up(self) -> None:
        with self.running():
            wait_until(self.caught_up, f"ingest of {self.stream} to catch up")

    def run_until_it_fails(self) -> None:
        """For tests that expect the worker to stop by itself; raises what stopped it."""
        self.worker.run(self.consumer)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Errors of the worker are raised at the end of the block."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.worker.run(self.consumer)
            except BaseException as exc:  # noqa: BLE001 - raised in the test's thread
                failure.append(exc)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            self.stop.request()
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "ingest did not drain"
            if failure:
                raise failure[0]
