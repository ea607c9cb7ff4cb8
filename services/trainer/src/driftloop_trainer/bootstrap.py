"""Puts the trainer together. Nothing here connects before ``main`` is called."""

from collections.abc import Callable
from typing import Any, TypeVar

from driftloop.adapters.follower import RegistryFollower
from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer, Publisher, partitions_of
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.reconnecting_producer import RenewedProducer
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.topics import CONTROL_TOPICS, REGISTRY_LOG, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.errors import TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.service.checks import check_surroundings
from driftloop.service.event_worker import EventWorker
from driftloop.service.health_server import HealthServer
from driftloop.service.process import Stop, run_service
from driftloop.telemetry import configure_logging, get_logger
from driftloop.training.process import Spare
from driftloop.training.workspace import Workspace
from driftloop_trainer.environments import Environments
from driftloop_trainer.handlers import Logs, RetrainRequests
from driftloop_trainer.ledger import Ledger
from driftloop_trainer.log_reader import LogReader
from driftloop_trainer.pinning import Pinner
from driftloop_trainer.registry_view import RegistryNow
from driftloop_trainer.settings import TrainerSettings, trainer_settings
from driftloop_trainer.status import TrainerStatus

GROUP = "trainer"
T = TypeVar("T")

log = get_logger(__name__)


def main() -> None:
    run_service("trainer", lambda stop: serve(trainer_settings(), stop))


def serve(settings: TrainerSettings, stop: Stop) -> None:
    """Handle retrain requests until a stop is requested."""
    service = settings.service
    configure_logging("trainer", service.instance)
    follower = RegistryFollower(service.kafka_bootstrap, client_id=f"{service.instance}-registry")
    status = TrainerStatus(service.instance, SystemClock())
    health = HealthServer(
        service.http_host,
        service.http_port,
        ready=lambda: (follower.caught_up, {"registry_log": "folded" if follower.caught_up else "not folded yet"}),
        status=status.as_dict,
        names=service.http_names,
    ).start()
    spare = Spare()
    follower.start(timeout_seconds=0)  # each run waits for the log's end itself
    try:
        worker = _until_connected(lambda: _worker(settings, follower, status, stop, spare), stop)
        if worker is not None:
            worker.run()
    finally:
        spare.close()
        health.stop()


def _worker(settings: TrainerSettings, follower: RegistryFollower, status: TrainerStatus, stop: Stop, spare: Spare) -> EventWorker:
    service = settings.service
    bootstrap, store = service.kafka_bootstrap, MinioObjectStore(service.s3)
    check_surroundings(service, [t for t in CONTROL_TOPICS if t.name in (RETRAIN_REQUESTS, TRAINING_RUNS, REGISTRY_LOG)])
    ledger = Ledger()
    workspace = Workspace(settings.work, store)
    workspace.clear()
    handlers = RetrainRequests(
        ledger,
        Logs(requests=_reader(settings, RETRAIN_REQUESTS, ledger), runs=_reader(settings, TRAINING_RUNS, ledger)),
        RegistryNow(follower, _assigned(settings, REGISTRY_LOG), stop),
        Pinner(store, service.s3, Environments()),
        workspace,
        store,
        Publisher(RenewedProducer(lambda: Producer(bootstrap, client_id=service.instance)), source="driftloop/trainer"),
        status,
        stop,
        spare,
    )
    consumer = GroupConsumer(
        bootstrap,
        group=GROUP,
        topics=[RETRAIN_REQUESTS],
        client_id=service.instance,
        max_poll_interval_seconds=settings.max_poll_interval_seconds,
    )
    on_request: Any = handlers.on_retrain_requested
    return EventWorker(consumer, {RetrainRequested: on_request}, stop=stop, reject=_reject)


def _reader(settings: TrainerSettings, topic: str, ledger: Ledger) -> LogReader:
    return LogReader(lambda: _assigned(settings, topic), ledger.take)


def _assigned(settings: TrainerSettings, topic: str) -> AssignedConsumer:
    bootstrap, instance = settings.service.kafka_bootstrap, settings.service.instance
    tps = [TopicPartition(topic, partition) for partition in range(partitions_of(bootstrap, topic))]
    return AssignedConsumer(bootstrap, tps, client_id=f"{instance}-{topic}")


def _until_connected(connect: Callable[[], T], stop: Stop) -> T | None:
    """None when the stop came first."""
    while not stop.requested():
        try:
            return connect()
        except TransientError as exc:
            log.warning("broker-unreachable", reason=str(exc))
            stop.wait(1.0)
    return None


def _reject(record: Record, reason: str) -> None:
    """`retrain-requests` is kept for ever: the record stays where it is, and its coordinates are in the log."""
    log.error("request-unreadable", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)
