"""The one place that builds the registry."""

from functools import partial

from driftloop.adapters.registry_view import RegistryView
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.events import CanaryMeasured, ChallengerMeasured, TrainingCompleted, VersionSeen
from driftloop.contracts.services import REGISTRY
from driftloop.contracts.topics import PERFORMANCE_REPORTS, TRAINING_RUNS, VERSIONS_SEEN
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.event_worker import on
from driftloop.service.http_server import serving
from driftloop.service.process import Stop, run_service
from driftloop.service.settings import store_settings
from driftloop.service.start import Parts, started
from driftloop_registry.api import create_app
from driftloop_registry.canary_evidence import CanaryEvidence
from driftloop_registry.command_log import CommandLog
from driftloop_registry.handlers import TrainingRuns
from driftloop_registry.log_end_waiter import LogEndWaiter
from driftloop_registry.project_settings import ProjectSettings
from driftloop_registry.service import ANSWER_SECONDS, Desk
from driftloop_registry.shadow_evidence import ShadowEvidence
from driftloop_registry.state_waiter import Folded
from driftloop_registry.status import RegistryHealth
from driftloop_registry.view_keeper import ViewKeeper
from driftloop_registry.watching import VersionsSeen

DATABASE = "registry.sqlite"
DELIVERY_SECONDS = 10  # of one command; its caller waits for no longer than that


def main() -> None:
    run_service(REGISTRY.name, run)


def run(stop: Stop) -> None:
    settings = store_settings(REGISTRY)
    parts, store = Parts(settings, stop), MinioObjectStore(settings.s3)
    registry, database = parts.registry, settings.state_dir / DATABASE
    # Order across a failure does not matter: commands carry the epoch that they expect, decisions stand alone.
    events = parts.publisher(parts.producer(delivery_timeout_seconds=DELIVERY_SECONDS))
    commands = CommandLog(events, registry, timeout_seconds=ANSWER_SECONDS)
    folded, keeper = Folded(registry), ViewKeeper(RegistryView(database), registry)
    log_end = LogEndWaiter(registry.end)
    parts.at_end.callback(log_end.stop)
    for subscriber in (commands, folded, keeper):
        registry.subscribe(subscriber.on_state)
    desk = Desk(registry, lambda: registry.caught_up, folded, log_end, commands, store, keeper)
    health = RegistryHealth(settings.instance, registry, database, keeper)
    log_end.start()
    # HTTP before the broker is asked for anything: without it, reads with stale=ok and /healthz still answer
    with started(parts, health, serving(create_app(desk, parts.clock), told=True)):
        parts.until_connected(lambda: check_surroundings_but_for_a_silent_store(settings, REGISTRY.topics()))
        registry.start(timeout_seconds=0)
        keeper.start()
        parts.at_end.callback(keeper.stop)
        while not registry.caught_up:  # a run must be judged on all that the log holds
            stop.check()
            stop.wait(0.05)
        runs = on(TrainingCompleted, TrainingRuns(commands, registry, events, store, parts.clock).on_training_completed)
        seen = on(VersionSeen, VersionsSeen(commands, registry, parts.clock).on_version_seen)
        evidence = ShadowEvidence(commands, registry, events, ProjectSettings(store), parts.clock)
        challengers, topics = on(ChallengerMeasured, evidence.on_challenger_measured), [TRAINING_RUNS, VERSIONS_SEEN, PERFORMANCE_REPORTS]
        canaries = on(CanaryMeasured, CanaryEvidence(commands, registry, events, parts.clock).on_canary_measured)
        worker = partial(parts.event_worker, runs, seen, challengers, canaries, topics=topics, unreadable="event-unreadable")
        parts.until_connected(worker).run()
