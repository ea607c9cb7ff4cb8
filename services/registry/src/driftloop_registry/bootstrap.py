"""Puts the registry together. Nothing here connects before ``main`` is called."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from driftloop.adapters.follower import RegistryFollower
from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer, Publisher
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.reconnecting_producer import RenewedProducer
from driftloop.adapters.registry_view import RegistryView
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.events import TrainingCompleted
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS, REGISTRY_LOG, TRAINING_RUNS
from driftloop.errors import TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.event_worker import EventWorker
from driftloop.service.process import EXIT_FAILED, Stop, run_service
from driftloop.settings import ServiceSettings, service_settings
from driftloop.telemetry import configure_logging, get_logger
from driftloop_registry.api import create_app
from driftloop_registry.command_log import CommandLog
from driftloop_registry.handlers import TrainingRuns
from driftloop_registry.http_server import HttpServer
from driftloop_registry.log_end import LogEnd
from driftloop_registry.operations import add_operations
from driftloop_registry.service import ANSWER_SECONDS, Desk
from driftloop_registry.state_waiter import Folded
from driftloop_registry.view_keeper import ViewKeeper

GROUP = "registry"
DATABASE = "registry.sqlite"
DELIVERY_SECONDS = 10  # of one command; its caller waits for no longer than that

T = TypeVar("T")

log = get_logger(__name__)


def main() -> None:
    run_service("registry", lambda stop: serve(service_settings("registry"), stop))


def serve(settings: ServiceSettings, stop: Stop) -> None:
    """Answer over HTTP and handle training runs until a stop is requested."""
    configure_logging("registry", settings.instance)
    bootstrap, clock, store = settings.kafka_bootstrap, SystemClock(), MinioObjectStore(settings.s3)
    follower = RegistryFollower(bootstrap, client_id=f"{settings.instance}-log")
    producer = RenewedProducer(lambda: Producer(bootstrap, client_id=settings.instance, delivery_timeout_seconds=DELIVERY_SECONDS))
    # Order across a failure does not matter: commands carry the epoch that they expect, decisions stand alone.
    events = Publisher(producer, source="driftloop/registry")
    commands = CommandLog(events, follower, timeout_seconds=ANSWER_SECONDS)
    folded = Folded(follower)
    keeper = ViewKeeper(RegistryView(settings.state_dir / DATABASE), follower)
    log_tp = TopicPartition(REGISTRY_LOG, 0)
    log_end = LogEnd(lambda: AssignedConsumer(bootstrap, [log_tp], client_id=f"{settings.instance}-end"), log_tp)
    for subscriber in (commands, folded, keeper):
        follower.subscribe(subscriber.on_state)

    def status() -> dict[str, Any]:
        state = follower.state()
        epochs = {name: {alias: a.epoch for alias, a in model.aliases.items()} for name, model in state.models.items()}
        database = {"path": str(settings.state_dir / DATABASE), "rebuilds": keeper.rebuilds}
        return {"service": "registry", "instance": settings.instance, "offset": state.next_offset, "epochs": epochs, "database": database}

    app = create_app(Desk(follower, lambda: follower.caught_up, folded, log_end, commands, store, keeper), clock)
    add_operations(app, ready=lambda: (follower.caught_up, {"offset": follower.state().next_offset}), status=status)
    server = HttpServer(app, settings.http_host, settings.http_port, setting="DRIFTLOOP_REGISTRY_HTTP_PORT", names=settings.http_names)
    log_end.start()
    server.start()  # before the broker is asked for anything: without it, reads with stale=ok and /healthz still answer
    threading.Thread(target=_stop_with, args=(server, stop), daemon=True).start()
    try:
        _until_connected(
            lambda: check_surroundings_but_for_a_silent_store(
                settings, [t for t in CONTROL_TOPICS if t.name in (REGISTRY_LOG, TRAINING_RUNS, DECISIONS)]
            ),
            stop,
        )
        follower.start(timeout_seconds=0)
        keeper.start()
        runs = TrainingRuns(commands, follower, events, store, clock)
        _handle_training_runs(settings, runs, follower, stop)
    finally:
        server.stop()
        log_end.stop()
        keeper.stop()
        producer.close()


def _handle_training_runs(settings: ServiceSettings, runs: TrainingRuns, follower: RegistryFollower, stop: Stop) -> None:
    while not follower.caught_up and not stop.requested():  # a run must be judged on all that the log holds
        stop.wait(0.05)
    consumer = _until_connected(
        lambda: GroupConsumer(settings.kafka_bootstrap, group=GROUP, topics=[TRAINING_RUNS], client_id=settings.instance), stop
    )
    if consumer is not None:
        EventWorker(consumer, {TrainingCompleted: runs.on_training_completed}, stop=stop, reject=_reject).run()  # type: ignore[dict-item]


def _until_connected(connect: Callable[[], T], stop: Stop) -> T | None:
    """None when the stop came first."""
    while not stop.requested():
        try:
            return connect()
        except TransientError as exc:
            log.warning("broker-unreachable", reason=str(exc))
            stop.wait(1.0)
    return None


def _stop_with(server: HttpServer, stop: Stop) -> None:
    while not stop.wait(0.5):
        if not server.alive:
            log.error("http-server-ended")
            stop.request(EXIT_FAILED)


def _reject(record: Record, reason: str) -> None:
    """`training-runs` is kept for ever: the record stays where it is, and its coordinates are in the log."""
    log.error("training-run-unreadable", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)
