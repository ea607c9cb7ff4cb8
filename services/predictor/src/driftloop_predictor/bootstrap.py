"""The one place that builds the predictor."""

import uuid
from functools import cache, partial

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import PREDICTOR
from driftloop.contracts.topics import inferences
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.http_server import serving
from driftloop.service.process import Stop, run_service
from driftloop.service.schemas import schemas_of
from driftloop.service.start import Parts, started
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.captured import CaptureReader
from driftloop_predictor.http import Edge, Watched, build_app
from driftloop_predictor.last_good import MODEL_FOLDER, PROJECT_FOLDER, KeptModel, KeptProject, LastGood
from driftloop_predictor.model import ModelFollower
from driftloop_predictor.project import find_project
from driftloop_predictor.recorder import Recorder
from driftloop_predictor.settings import PredictorSettings, predictor_settings
from driftloop_predictor.status import PredictorHealth
from driftloop_predictor.stream import RequestStream
from driftloop_predictor.unscored import UnscoredRows
from driftloop_predictor.who_answers import WhoAnswers

LOG_SECONDS = 5.0  # how long a start waits for the registry log before it falls back to what is on disk
FIRST_MODEL_SECONDS = 30.0  # how long a start without a model on disk waits for the champion before it records unscored
DELIVERY_SECONDS = 20  # of rows scored by HTTP; they are sent again after that
RECORDING_SECONDS = 3.0  # what is waiting at the end is recorded if that takes no longer


def main() -> None:
    run_service(PREDICTOR.name, run)


def run(stop: Stop) -> None:
    settings = predictor_settings()
    parts, store = Parts(settings.common, stop), MinioObjectStore(settings.common.s3)
    edge = Edge(max_body_bytes=settings.http_max_body_bytes)
    health = PredictorHealth(settings.common.instance, parts.registry, edge)
    with started(parts, health, serving(build_app(edge))):
        find = partial(find_project, kept=LastGood(settings.last_good / PROJECT_FOLDER, KeptProject))
        project = health.project = parts.project(store, log_seconds=LOG_SECONDS, find=find)
        kept = LastGood(settings.last_good / MODEL_FOLDER, KeptModel)
        model = health.model = ModelFollower(project, reader=parts.registry, store=store, last_good=kept).start()
        parts.at_end.callback(model.stop)
        parts.registry.subscribe(model.on_state)
        model.wait_for_first(stop, FIRST_MODEL_SECONDS)
        recorder = _recorder(settings, parts, project, health).start()
        parts.at_end.callback(recorder.stop, RECORDING_SECONDS)
        events, joined = parts.publisher(parts.producer()), _answers(parts, project)
        who_answers = health.who_answers = WhoAnswers(project, parts.registry, model, events, joined)
        if project.served_by == "elsewhere":
            edge.watched = Watched(CaptureReader(project.schema, project.answers), who_answers)
            edge.no_model = f"{project.model} is served elsewhere, and this process watches it; driftloop models takeover changes that"
        edge.open(project.schema, new_id=lambda: str(uuid.uuid4()), serving=health.serving, recorder=recorder)
        stream = parts.until_connected(
            lambda: _stream(settings, parts, store, project, who_answers, joined, edge.unscored), on_failure=health.not_connected
        )
        health.connected(stream.handler)
        stream.run()


def _recorder(settings: PredictorSettings, parts: Parts, project: Project, health: PredictorHealth) -> Recorder:
    topic = inferences(project.stream)
    connect = partial(parts.broker.producer, delivery_timeout_seconds=DELIVERY_SECONDS)
    return Recorder(
        topic,
        connect=connect,
        partitions=cache(lambda: parts.broker.partitions_of(topic)),
        position=health.position,
        max_rows=settings.http_buffer_rows,
    )


def _answers(parts: Parts, project: Project) -> AnswersTopic | None:
    """Where the answers of a model that is served elsewhere are not in the requests."""
    declared, broker = project.answers, parts.broker
    if project.served_by != "elsewhere" or declared.topic is None:
        return None
    return AnswersTopic(
        project.schema, declared, declared.topic, open_reader=broker.reader, partitions=broker.partitions_of, clock=parts.clock
    )


def _stream(
    settings: PredictorSettings,
    parts: Parts,
    store: ObjectStore,
    project: Project,
    who_answers: WhoAnswers,
    answers: AnswersTopic | None,
    unscored: UnscoredRows,
) -> RequestStream:
    check_surroundings_but_for_a_silent_store(settings.common, PREDICTOR.topics(project.stream, project.retention_ms, project.existing))
    return RequestStream(
        project,
        broker=parts.broker,
        store=store,
        who_answers=who_answers,
        answers=answers,
        after_gaps=AcceptedGaps(store, project.stream).after,
        idle_seconds=settings.idle_seconds,
        clock=parts.clock,
        stop=parts.stop,
        unscored=unscored,
        schemas=schemas_of(settings.common),
    )
