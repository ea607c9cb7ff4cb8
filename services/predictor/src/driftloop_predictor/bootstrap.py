"""The one page of wiring: settings, registry log, project, model, HTTP, and the stream until a stop is requested."""

import uuid
from functools import cache, partial
from typing import Any

import msgspec

from driftloop.adapters.follower import RegistryFollower
from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer, partitions_of, topic_id
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.topics import inferences, requests, stream_topics
from driftloop.errors import TransientError
from driftloop.project.model import Project
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop, run_service
from driftloop.service.project import restart_on_new_archive
from driftloop.telemetry import configure_logging, get_logger
from driftloop_predictor.batches import ScoringModel
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.http import Edge, build_app
from driftloop_predictor.idle import IdlePartitions
from driftloop_predictor.last_good import KeptModel, KeptProject, LastGood
from driftloop_predictor.model import ModelFollower
from driftloop_predictor.positions import Positions
from driftloop_predictor.progress import StreamProgress
from driftloop_predictor.project import find_project
from driftloop_predictor.recorder import Recorder
from driftloop_predictor.server import HttpServer
from driftloop_predictor.settings import PredictorSettings, predictor_settings

LOG_SECONDS = 5.0  # how long a start waits for the registry log before it falls back to what is on disk
FIRST_MODEL_SECONDS = 30.0  # how long a start without a model on disk waits for the champion before it records unscored
POLL_SECONDS = 0.02  # a batch waits no longer for company

log = get_logger(__name__)


def main() -> None:
    run_service("predictor", lambda stop: run(predictor_settings(), stop))


def run(settings: PredictorSettings, stop: Stop) -> None:
    service = settings.service
    configure_logging("predictor", service.instance)
    parts = _Parts(settings)
    server = HttpServer(build_app(parts.edge), service.http_host, service.http_port, setting="DRIFTLOOP_PREDICTOR_HTTP_PORT").start()
    store = MinioObjectStore(service.s3)
    parts.follower.start(LOG_SECONDS)
    kept = LastGood(settings.last_good / "project", KeptProject)
    project = find_project(parts.follower, store, kept, settings.project, stop)
    if project is None:
        return server.stop()
    parts.project = project
    parts.model = ModelFollower(
        project, reader=parts.follower, store=store, last_good=LastGood(settings.last_good / "model", KeptModel)
    ).start()
    parts.follower.subscribe(parts.model.on_state)
    parts.follower.subscribe(partial(restart_on_new_archive, project=project, stop=stop))
    restart_on_new_archive(parts.follower.state(), project, stop)
    parts.model.wait_for_first(stop, FIRST_MODEL_SECONDS)
    recorder = _recorder(parts, settings, project).start()
    parts.edge.open(project.schema, new_id=lambda: str(uuid.uuid4()), serving=parts.serving, recorder=recorder)
    try:
        _stream(parts, settings, project, stop)
    finally:
        server.stop()
        recorder.stop(timeout_seconds=3)
        parts.model.stop()
    return None


class _Parts:
    """What the HTTP side reports on while the rest is still being built."""

    def __init__(self, settings: PredictorSettings) -> None:
        self._instance = settings.service.instance
        self.follower = RegistryFollower(settings.service.kafka_bootstrap, client_id=f"predictor-registry-{self._instance}")
        self.project: Project | None = None
        self.model: ModelFollower | None = None
        self.handler: RequestHandler | None = None
        self.last_error: str | None = None
        self.edge = Edge(max_body_bytes=settings.http_max_body_bytes, status=self.status, ready=self.ready)

    def serving(self) -> ScoringModel | None:
        return self.model.serving if self.model else None

    def ready(self) -> tuple[bool, str]:
        """It can do its work: score, or record traffic unscored while the model has no champion yet."""
        if self.project is None or self.model is None:
            return False, "waiting for the project"
        if self.model.serving is not None:
            return True, "a model is loaded"
        if not self.follower.caught_up:
            return False, "the registry log has not been read to its end"
        return self.model.up_to_date, "there is no champion yet" if self.model.up_to_date else "the champion is not loaded"

    def status(self) -> dict[str, Any]:
        serving, recorder = self.serving(), self.edge.recorder
        return {
            "instance": self._instance,
            "project": self.project.name if self.project else None,
            "project_archive": self.project.digest() if self.project else None,
            "champion_version": serving.version if serving else None,
            "alias_epoch": serving.epoch if serving else 0,
            "model_digest": serving.digest if serving else None,
            "partitions": {str(p): o for p, o in self.handler.next_offsets().items()} if self.handler else {},
            "environment": _environment(self.project, self.model),
            "bad_models": self.model.bad_models if self.model else 0,
            "http_rows_waiting": recorder.waiting_rows if recorder else 0,
            "last_error": self.last_error or (self.model.last_error if self.model else None),
        }


def _environment(project: Project | None, model: ModelFollower | None) -> dict[str, Any] | None:
    """How this process differs from the one that fitted the newest champion; null before there is one."""
    found = model.environment if model else None
    if project is None or found is None:
        return None
    return {"same": found.same, "setting": project.serving.environment, **msgspec.to_builtins(found)}


def _recorder(parts: "_Parts", settings: PredictorSettings, project: Project) -> Recorder:
    bootstrap, topic = settings.service.kafka_bootstrap, inferences(project.stream)
    client_id = f"predictor-http-{settings.service.instance}"
    return Recorder(
        topic,
        connect=lambda: Producer(bootstrap, client_id=client_id, delivery_timeout_seconds=20),
        partitions=cache(lambda: partitions_of(bootstrap, topic)),
        position=lambda partition: parts.handler.position(partition) if parts.handler else None,
        max_rows=settings.http_buffer_rows,
    )


def _stream(parts: _Parts, settings: PredictorSettings, project: Project, stop: Stop) -> None:
    """Connect, however long that takes (HTTP answers meanwhile), and work through requests until the stop."""
    while not stop.requested():
        try:
            worker, consumer = _connect(parts, settings, project, stop)
        except TransientError as exc:
            parts.last_error = f"the broker cannot be reached: {exc}"
            log.warning("stream-not-connected", reason=str(exc))
            stop.wait(2.0)
            continue
        parts.last_error = None
        return worker.run(consumer)
    return None


def _connect(parts: _Parts, settings: PredictorSettings, project: Project, stop: Stop) -> tuple[PartitionWorker, GroupConsumer]:
    bootstrap, instance, stream = settings.service.kafka_bootstrap, settings.service.instance, project.stream
    check_surroundings_but_for_a_silent_store(settings.service, stream_topics(stream, retention_ms=project.retention_ms))
    positions = Positions(
        lambda tps: AssignedConsumer(bootstrap, tps, client_id=f"predictor-positions-{instance}"),
        partial(topic_id, bootstrap),
        requests=requests(stream),
        inferences=inferences(stream),
    )
    progress = StreamProgress(
        lambda tps: AssignedConsumer(bootstrap, tps, client_id=f"predictor-progress-{instance}"),
        inferences(stream),
        partial(partitions_of, bootstrap, inferences(stream)),
        project.ahead,
    )
    parts.handler = RequestHandler(
        project,
        topic=positions,
        producer=Producer(bootstrap, client_id=f"predictor-{instance}"),
        store=MinioObjectStore(settings.service.s3),
        serving=parts.serving,
        idle=IdlePartitions(
            settings.idle_seconds or float("inf"), project.allowed_lateness, grace=project.windows.every, replay=project.clock == "replay"
        ),
        progress=progress.newest,
        clock=SystemClock(),
    )
    worker = PartitionWorker(parts.handler, stop=stop, poll_seconds=POLL_SECONDS)
    consumer = GroupConsumer(
        bootstrap, group=f"predictor-{stream}", topics=[requests(stream)], listener=worker, client_id=f"predictor-{instance}"
    )
    return worker, consumer
