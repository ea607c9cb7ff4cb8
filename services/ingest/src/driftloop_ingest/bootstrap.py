"""The one place that builds ingest."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import pyarrow as pa

from driftloop.adapters.follower import RegistryFollower
from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer, Publisher, partitions_of, topic_id
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.reconnecting_producer import RenewedProducer
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts import topics
from driftloop.lake.table import LakeTable
from driftloop.ports import TopicPartition
from driftloop.project.model import Project
from driftloop.rows.schemas import lake_schema
from driftloop.service.checks import check_surroundings
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop, run_service
from driftloop.service.project import restart_on_new_archive, wait_for_project
from driftloop.settings import Environment, ServiceSettings, service_settings
from driftloop.telemetry import HealthServer, configure_logging
from driftloop_ingest.handlers import IngestHandler
from driftloop_ingest.intake import InferenceIntake, LabelIntake
from driftloop_ingest.maintenance import Upkeep
from driftloop_ingest.newer_project import NewerProject
from driftloop_ingest.settings import flush_limits, upkeep_times
from driftloop_ingest.table_writer import Outputs, TableWriter

MAX_POLL_INTERVAL_SECONDS = 300  # a flush against a store that answers slowly


def main() -> None:
    run_service("ingest", run)


def run(stop: Stop) -> None:
    settings = service_settings("ingest")
    env = Environment("ingest")
    configure_logging("ingest", settings.instance)
    health = Health(settings)
    store = MinioObjectStore(settings.s3)
    follower = RegistryFollower(settings.kafka_bootstrap, client_id=settings.instance).start()
    name = env.text("PROJECT", "-")
    project = wait_for_project(follower, store, None if name == "-" else name, stop)
    if project is None:
        return
    follower.subscribe(lambda state: restart_on_new_archive(state, project, stop))
    restart_on_new_archive(follower.state(), project, stop)
    serve(project, follower, settings, env, store, stop, health)


def serve(
    project: Project,
    follower: RegistryFollower,
    settings: ServiceSettings,
    env: Environment,
    store: MinioObjectStore,
    stop: Stop,
    health: "Health",
) -> None:
    """Fill the project's two tables until a stop is requested."""
    stream, bootstrap, clock = project.stream, settings.kafka_bootstrap, SystemClock()
    stream_topics = topics.stream_topics(stream, partitions_of(bootstrap, topics.inferences(stream)), project.retention_ms)
    check_surroundings(settings, stream_topics)
    producer = RenewedProducer(lambda: Producer(bootstrap, client_id=settings.instance))
    outputs = Outputs(store, producer, Publisher(producer, source="driftloop/ingest"))

    def give_up(tps: frozenset[TopicPartition]) -> None:
        worker.reseek(tps)

    def beginning_offsets(tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return consumer.beginning_offsets(tps)

    writer = partial(TableWriter, outputs=outputs, limits=flush_limits(env), give_up=give_up)
    inferences = LakeTable.open(settings.s3, stream, "inferences", lake_schema(project.schema, "inferences"))
    labels = LakeTable.open(settings.s3, stream, "labels", lake_schema(project.schema, "labels"))
    stored = pa.schema([field for field in inferences.schema if field.name not in ("partition", "offset")])
    newer = NewerProject(project, follower, partial(_log_end, bootstrap, settings.instance)).wait_for_restart
    intake = InferenceIntake(project.schema, project.allowed_lateness, clock, ahead=project.ahead, stored=stored, newer=newer)
    handler = IngestHandler(
        [
            writer(inferences, topics.inferences(stream), intake),
            writer(labels, topics.labels(stream), LabelIntake(project.schema, project.allowed_lateness, clock, ahead=project.ahead)),
        ],
        beginning_offsets=beginning_offsets,
        topic_id=partial(topic_id, bootstrap),
    )
    worker: PartitionWorker = PartitionWorker(handler, stop=stop)
    consumer = GroupConsumer(
        bootstrap,
        group=f"ingest-{stream}",
        topics=[topics.inferences(stream), topics.labels(stream)],
        listener=worker,
        client_id=settings.instance,
        max_poll_interval_seconds=MAX_POLL_INTERVAL_SECONDS,
    )

    health.serving(handler)
    first = TopicPartition(topics.inferences(stream), 0)
    upkeep = Upkeep(lambda table: LakeTable.open(settings.s3, stream, table), store, upkeep_times(env), turn=lambda: handler.owns(first))
    upkeep.start(stop)
    worker.run(consumer)
    producer.close()


def _log_end(bootstrap: str, instance: str) -> int:
    tp = TopicPartition(topics.REGISTRY_LOG, 0)
    with closing(AssignedConsumer(bootstrap, [tp], client_id=f"{instance}-registry-end")) as consumer:
        return consumer.end_offsets([tp])[tp]


class Health:
    """Answers from the start: not ready until the tables are open."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._handler: IngestHandler | None = None
        HealthServer(settings.http_host, settings.http_port, ready=self._ready, status=self._status).start()

    def serving(self, handler: IngestHandler) -> None:
        self._handler = handler

    def _ready(self) -> tuple[bool, dict[str, Any]]:
        return (True, {}) if self._handler is not None else (False, {"reason": "waiting for a project, its topics and the lake"})

    def _status(self) -> dict[str, Any]:
        return {} if self._handler is None else self._handler.status()
