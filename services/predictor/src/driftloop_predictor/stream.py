"""The stream of requests as this member of its group works through it."""

from functools import partial

from driftloop.contracts.topics import inferences
from driftloop.ports import Clock, ObjectStore, Schemas
from driftloop.project.model import Project
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.service.broker import Broker
from driftloop.service.partition_worker import PartitionWorker
from driftloop.service.process import Stop
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.idle import IdlePartitions
from driftloop_predictor.positions import AfterGaps, Positions
from driftloop_predictor.progress import StreamProgress
from driftloop_predictor.unscored import UnscoredRows
from driftloop_predictor.who_answers import WhoAnswers

POLL_SECONDS = 0.02  # a batch waits no longer for company


class RequestStream:
    """Connects and joins; ``idle_seconds`` 0: an idle partition gets no watermark. Raises TransientError, ConfigurationError."""

    def __init__(
        self,
        project: Project,
        *,
        broker: Broker,
        store: ObjectStore,
        who_answers: WhoAnswers,
        answers: AnswersTopic | None,
        after_gaps: AfterGaps,
        idle_seconds: int,
        clock: Clock,
        stop: Stop,
        unscored: UnscoredRows,
        schemas: Schemas | None = None,
    ) -> None:
        stream, requests = project.stream, project.requests_topic
        mapping = project.requests
        progress = StreamProgress(broker.reader, inferences(stream), partial(broker.partitions_of, inferences(stream)), project.ahead)
        self.handler = RequestHandler(
            project,
            topic=Positions(
                broker.reader,
                broker.topic_id,
                broker.partitions_of,
                requests=requests,
                inferences=inferences(stream),
                after_gaps=after_gaps,
            ),
            producer=broker.producer(),
            store=store,
            serving=who_answers.now,
            make_known=who_answers.make_known,
            answers=answers,
            idle=IdlePartitions(
                idle_seconds or float("inf"), project.allowed_lateness, grace=project.windows.every, replay=project.clock == "replay"
            ),
            progress=progress.newest,
            clock=clock,
            unscored=unscored,
            decoder=ExistingRequests(project.schema, mapping, schemas) if mapping is not None else None,
        )
        self._worker = PartitionWorker(self.handler, stop=stop, poll_seconds=POLL_SECONDS)
        self._consumer = broker.member(f"predictor-{stream}", [requests], listener=self._worker)

    def run(self) -> None:
        """Until a stop is requested; then drains."""
        self._worker.run(self._consumer)
