"""The one place that builds the trainer."""

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.services import TRAINER
from driftloop.contracts.topics import RETRAIN_REQUESTS
from driftloop.service.checks import check_surroundings
from driftloop.service.event_worker import EventWorker, on
from driftloop.service.process import Stop, run_service
from driftloop.service.start import Parts, started
from driftloop.training.process import Spare
from driftloop.training.workspace import Workspace
from driftloop_trainer.environments import Environments
from driftloop_trainer.handlers import RetrainRequests
from driftloop_trainer.history import requests_and_runs
from driftloop_trainer.pinning import Pinner
from driftloop_trainer.registry_view import RegistryNow
from driftloop_trainer.run_limit import RunLimit
from driftloop_trainer.settings import TrainerSettings, trainer_settings
from driftloop_trainer.status import TrainerStatus


def main() -> None:
    run_service(TRAINER.name, run)


def run(stop: Stop) -> None:
    settings = trainer_settings()
    parts, spare = Parts(settings.common, stop), Spare()
    status = TrainerStatus(settings.common.instance, parts.clock, parts.registry)
    with started(parts, status):
        parts.at_end.callback(spare.close)
        parts.registry.start(timeout_seconds=0)  # each run waits for the log's end itself
        parts.until_connected(lambda: _worker(settings, parts, status, spare)).run()


def _worker(settings: TrainerSettings, parts: Parts, status: TrainerStatus, spare: Spare) -> EventWorker:
    check_surroundings(settings.common, TRAINER.topics())
    store = MinioObjectStore(settings.common.s3)
    history, log_reader = requests_and_runs(parts.broker.topics("history"), parts.state_dir)
    workspace = Workspace(settings.work, store)
    workspace.clear()
    handlers = RetrainRequests(
        history,
        log_reader,
        RegistryNow(parts.registry, parts.stop),
        Pinner(store, settings.common.s3, Environments()),
        workspace,
        store,
        parts.publisher(parts.producer()),
        status,
        parts.stop,
        spare,
        RunLimit(history, settings.runs_per_day, parts.clock),
    )
    return parts.event_worker(
        on(RetrainRequested, handlers.on_retrain_requested),
        topics=[RETRAIN_REQUESTS],
        unreadable="request-unreadable",
        max_poll_interval_seconds=settings.max_poll_interval_seconds,
    )
