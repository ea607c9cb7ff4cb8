"""What the trainer does when a retraining is asked for: pin, train, store, publish; each step safe to repeat."""

import time

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import Envelope, caused_id
from driftloop.contracts.events import RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.contracts.topics import TRAINING_RUNS
from driftloop.contracts.windows import parse_duration
from driftloop.crashpoints import crash_point
from driftloop.errors import ConfigurationError, GapError, IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.history.told import Told
from driftloop.ports import EventPublisher, ObjectStore
from driftloop.project.archives import archived_project
from driftloop.project.model import Project
from driftloop.registry.state import ModelState
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger
from driftloop.training.job import RunFailure, TrainedModel
from driftloop.training.process import Spare, train
from driftloop.training.workspace import Workspace
from driftloop_trainer.pinning import Pinner
from driftloop_trainer.registry_view import RegistryNow
from driftloop_trainer.run_limit import RunLimit
from driftloop_trainer.status import TrainerStatus

log = get_logger(__name__)


class RetrainRequests:
    """Handles ``retrain-requests``. A request that has its answer needs nothing; one that has its pins keeps them.

    ``log_reader`` feeds ``history`` from the topics of requests and runs; it is asked anew before anything is made of it.
    """

    def __init__(
        self,
        history: ModelHistory,
        log_reader: LogReader,
        registry: RegistryNow,
        pinner: Pinner,
        workspace: Workspace,
        store: ObjectStore,
        events: EventPublisher,
        status: TrainerStatus,
        stop: Stop,
        spare: Spare,
        limit: RunLimit,
    ) -> None:
        self._history, self._log_reader, self._registry, self._pinner, self._workspace = history, log_reader, registry, pinner, workspace
        self._store, self._events, self._status, self._stop = store, events, status, stop
        self._spare, self._limit = spare, limit
        self._registered: set[str] = set()  # models: names that strangers make up get no metric of their own

    def on_retrain_requested(self, event: RetrainRequested, about: Envelope) -> None:
        self._log_reader.sync()
        if self._history.answered(about.id):
            return
        run_id = about.id
        answers: tuple[str, ...] = (about.id,)
        with self._status.running(event.model, about.id):
            try:
                model, project = self._what_to_train(event.model, about.id)
                started = self._started(Told(event, about), model, project)
                run_id, answers = started.request_id, started.answers
                self._train(started, model, project)
            except (UserError, IntegrityError, ObjectNotFound) as exc:
                self._fail(event.model, run_id, answers, RunFailure(reason=str(exc)))
            except (TransientError, ConfigurationError, GapError):
                raise  # the world's fault, not the run's: the request stays unanswered
            except Exception as exc:  # one request must not stop the service
                log.error("run-broke-down", exc_info=True, request_id=run_id)
                self._fail(event.model, run_id, answers, RunFailure(reason=f"the trainer broke down: {type(exc).__name__}: {exc}"[:500]))

    def _what_to_train(self, name: str, request_id: str) -> tuple[ModelState, Project]:
        found = self._history.started(request_id)
        state = self._registry.after_verdict(None if found else self._history.last_completed(name))
        model = state.model(name)
        if model is None or model.project is None:
            raise UserError(f"no project is registered for the model {name}; register one with: driftloop up --project DIR")
        self._registered.add(name)
        archive = found.event.pins.project if found else model.project.archive
        return model, archived_project(self._store, model, archive)

    def _started(self, request: Told[RetrainRequested], model: ModelState, project: Project) -> TrainingStarted:
        """The pins of this request: the first that were published, by whichever trainer."""
        request_id = request.about.id
        found = self._history.started(request_id)
        if found is None:
            self._log_reader.sync()
            self._limit.check(model.model)
            self._spare.prepare(project.training.threads)  # for the first run; it imports while the run is pinned
            others = [other for other in self._history.waiting(model.model) if other.about.id != request_id]
            mine = self._pinner.pin([request, *others], model, project)
            self._events.publish(TRAINING_RUNS, mine, key=model.model, id=caused_id("started", request_id))
            crash_point("trainer.after-pin")
            self._log_reader.sync()
            found = self._history.started(request_id)
            if found is None:
                raise TransientError("the pins that were published are not in the log yet")
        started = found.event
        log.info("training-started", model=model.model, request_id=started.request_id, answers=len(started.answers))
        return started

    def _train(self, started: TrainingStarted, model: ModelState, project: Project) -> None:
        began = time.monotonic()
        self._spare.prepare(started.pins.threads)  # for a run that was pinned before this process began
        folder = self._workspace.lay_out(started, model, project)
        result = train(
            folder,
            threads=started.pins.threads,
            timeout_seconds=parse_duration(project.training.timeout).total_seconds(),
            stop=self._stop,
            on_progress=self._status.progressed,
            spare=self._spare,
        )
        if result.trained is None:
            failure = result.failure or RunFailure(reason="the training process left no result")
            self._fail(started.model, started.request_id, started.answers, failure)
        else:
            manifest = self._workspace.store(folder, started, project, result.trained)
            crash_point("trainer.after-store")
            self._complete(started, manifest, result.trained, time.monotonic() - began)
        self._workspace.remove(started)
        self._spare.prepare(started.pins.threads)

    def _complete(self, started: TrainingStarted, manifest: str, trained: TrainedModel, seconds: float) -> None:
        completed = TrainingCompleted(
            model=started.model,
            request_id=started.request_id,
            answers=started.answers,
            manifest=manifest,
            pins=started.pins,
            recipe=trained.recipe,
            candidates=trained.candidates,
            measurements=trained.measurements,
            rows=trained.rows,
            seconds=round(seconds, 3),
            recalibrations=trained.recalibrations or msgspec.UNSET,
        )
        self._events.publish(TRAINING_RUNS, completed, key=started.model, id=caused_id("completed", started.request_id))
        crash_point("trainer.after-event")
        metrics.TRAININGS.labels(self._label(started.model), "completed").inc()
        self._status.completed(started.model)
        log.info("training-completed", model=started.model, request_id=started.request_id, manifest=manifest, recipe=trained.recipe)

    def _fail(self, model: str, request_id: str, answers: tuple[str, ...], failure: RunFailure) -> None:
        failed = TrainingFailed(model=model, request_id=request_id, answers=answers, reason=failure.reason, detail=failure.detail)
        self._events.publish(TRAINING_RUNS, failed, key=model, id=caused_id("failed", request_id))
        metrics.TRAININGS.labels(self._label(model), "failed").inc()
        self._status.failed(model, request_id, failure.reason)
        log.warning("training-failed", model=model, request_id=request_id, reason=failure.reason)

    def _label(self, model: str) -> str:
        return model if model in self._registered else metrics.OTHER
