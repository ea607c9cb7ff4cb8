"""``driftloop demo`` from an empty folder to its report."""

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from driftloop.adapters.kafka import KafkaTopics, Producer, Publisher, partitions_of
from driftloop.adapters.kafka_security import Cluster
from driftloop.client.registration import register_project
from driftloop.contracts import topics
from driftloop.demo.example import DATA, N_WINDOWS, example_folder, with_seed
from driftloop.demo.flights import Flights, before, read_flights, thinned
from driftloop.demo.home import fresh_home
from driftloop.demo.picture import picture
from driftloop.demo.report import DemoReport
from driftloop.demo.results import reckon
from driftloop.demo.scenario import Story, project_windows
from driftloop.demo.stack import RunningStack, standing
from driftloop.errors import UserError
from driftloop.history.events import Events
from driftloop.history.lake_lag import LakeLag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import LOOP_TOPICS, ModelHistory
from driftloop.history.registry_follower import RegistryFollower
from driftloop.installation import current_installation, installation_of
from driftloop.local.addresses import StackAddresses
from driftloop.local.readiness import wait_for_services
from driftloop.ports import TopicPartition
from driftloop.project.reading import read_project
from driftloop.replay.interruptible import interruptible
from driftloop.replay.publishing import Replay
from driftloop.replay.screen import Screen
from driftloop.replay.waiting import Settling

CLIENT = "driftloop-demo"
SERVICES_READY_SECONDS = 300.0


class Options(NamedTuple):
    """As on the command line. ``fraction`` of the flights; how many of the ``windows``, from the first; ``seed`` of the thinning and
    the trainings, None: the project's."""

    fraction: float
    windows: int
    seed: int | None
    port_base: int
    realtime: float | None
    keep: bool
    external: StackAddresses | None = None  # a stack that runs already, and has seen no flights


def run_demo(options: Options, home: Path, console: Console) -> DemoReport:
    """Run it all; write ``demo.json`` and ``demo.svg`` into ``home``. Raises UserError when the loop cannot go on."""
    began = time.monotonic()
    source = example_folder()
    demo_home = fresh_home(home / "demo")
    folder = with_seed(source, demo_home / "project", options.seed)
    project = read_project(folder)
    flights = thinned(read_flights(source / DATA, project.schema), options.fraction, options.seed or 0)
    flights = before(flights, project_windows(project)[options.windows - 1].end)
    total = len(flights.requests) + len(flights.labels)
    where = "the stack that is up" if options.external else f"Kafka, S3 and the services that start in {demo_home}"
    console.print(f"{len(flights.requests):,} flights for {where}")
    with standing(demo_home, options.port_base, keep=options.keep, external=options.external) as stack, Screen(console, total) as screen:
        report = interruptible(lambda: _told(options, stack, folder, flights, screen, began))
    home.mkdir(parents=True, exist_ok=True)
    (home / "demo.json").write_bytes(report.as_json())
    (home / "demo.svg").write_text(picture(report), encoding="utf-8")
    return report


def _told(options: Options, stack: RunningStack, folder: Path, flights: Flights, screen: Screen, began: float) -> DemoReport:
    installation = current_installation() if options.external else installation_of(stack.addresses)
    kafka, s3 = installation.kafka, installation.s3
    project = register_project(folder, installation)
    _check_unused(kafka, project.stream)
    wait_for_services(stack.addresses, SERVICES_READY_SECONDS, stack.failures)
    screen.say(f"project {project.name} registered and every service ready after {time.monotonic() - began:.1f} s")
    with ExitStack() as clients:
        producer = Producer(kafka, client_id=CLIENT)
        clients.callback(producer.close)
        history = ModelHistory(project.model)
        reader = clients.enter_context(closing(LogReader(KafkaTopics(kafka, client_id=CLIENT), LOOP_TOPICS, Events(history))))
        lag = clients.enter_context(LakeLag(KafkaTopics(kafka, client_id=CLIENT), s3, project.stream))
        registry = RegistryFollower(KafkaTopics(kafka, client_id=CLIENT)).start()
        clients.callback(registry.stop)
        replay = Replay(producer, flights, project.stream, partitions_of(kafka, topics.requests(project.stream)))
        settling = Settling(
            model=project.model,
            history=history,
            reader=reader,
            lag=lag,
            registry=registry,
            services=stack.addresses.services,
            logs=stack.addresses.log_files,
            failures=stack.failures,
            on_wait=screen.waits,
        )
        clients.callback(settling.close)
        story = Story(
            project=project,
            replay=replay,
            settling=settling,
            history=history,
            reader=reader,
            lag=lag,
            publisher=Publisher(producer, source="driftloop/demo"),
            screen=screen,
            windows=options.windows,
            realtime=options.realtime,
        )
        story.run()
        screen.say("every label is in the lake; reading it all back")
        found = reckon(project, story, replay, history, registry.state(), kafka, s3)
    return DemoReport(
        seconds=time.monotonic() - began,
        replay_seconds=story.replay_seconds,
        fraction=options.fraction,
        whole=options.fraction >= 1 and options.windows == N_WINDOWS,
        seed=options.seed,
        realtime=options.realtime,
        metric=project.metric,
        windows=found.windows,
        versions=found.versions,
        conservation=found.conservation,
        split=found.split,
    )


def _check_unused(kafka: Cluster, stream: str) -> None:
    """The demo accounts for every row of the stream, so all of them must be its own."""
    topic = topics.requests(stream)
    tps = [TopicPartition(topic, partition) for partition in range(partitions_of(kafka, topic))]
    with closing(KafkaTopics(kafka, client_id=CLIENT).reader(tps)) as consumer:
        if any(consumer.end_offsets(tps).values()):
            raise UserError(f"{topic} already holds rows: run the demo on a stack that has seen none (docker compose down --volumes)")
