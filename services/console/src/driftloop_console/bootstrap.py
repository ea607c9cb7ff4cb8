"""The one place that builds the console."""

from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.services import CONSOLE
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from driftloop.history.log_follower import LogFollower
from driftloop.history.log_reader import LogReader
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.http_server import serving
from driftloop.service.process import Stop, run_service
from driftloop.service.start import Parts, started
from driftloop_console import commands
from driftloop_console.app import create_app
from driftloop_console.asking import Questions
from driftloop_console.desk import Desk
from driftloop_console.freshness import Freshness
from driftloop_console.pages.data import Where
from driftloop_console.policies import Policies
from driftloop_console.record import TOPICS, ConsoleFold
from driftloop_console.rounds import Rounds
from driftloop_console.settings import console_settings
from driftloop_console.status import ConsoleHealth
from driftloop_console.streams import Streams


def main() -> None:
    run_service(CONSOLE.name, run)


def run(stop: Stop) -> None:
    settings = console_settings()
    parts, record = Parts(settings.common, stop), ConsoleFold()
    checkpoint = Checkpoint(parts.state_dir / "record.checkpoint")
    reader = LogReader(parts.broker.topics("record"), TOPICS, Events(record), checkpoint=checkpoint)
    follower = LogFollower(reader, name="record")
    freshness = Freshness(follower, parts.registry)
    registry = RegistryClient(settings.registry_url)
    rounds = Rounds(settings.services)
    ask, store = Questions(), settings.common.s3
    desk = Desk(
        record,
        parts.registry.state,
        freshness,
        ask,
        commands.through(registry),
        rounds,
        Policies(ask),
        Streams(stop.requested),
        Where(store.endpoint, store.bucket, store.region),
    )
    health = ConsoleHealth(settings.common.instance, record, freshness)
    # HTTP before the broker is asked for anything: a page then says what is away
    with started(parts, health, serving(create_app(desk), told=True)):
        parts.until_connected(lambda: check_surroundings_but_for_a_silent_store(settings.common, CONSOLE.topics()))
        parts.registry.start(timeout_seconds=0)
        follower.start()
        parts.at_end.callback(follower.stop)
        freshness.run(stop)
