"""The start of a service: logs, health, the registry log, its project, a restart on a new archive; then the service's own parts."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Protocol, TypeVar

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import SystemClock
from driftloop.adapters.reconnecting_producer import RenewedProducer
from driftloop.errors import GapError, StartAgain, TransientError
from driftloop.history.registry_follower import RegistryFollower
from driftloop.ports import EventPublisher, MessageProducer, ObjectStore
from driftloop.project.model import Project
from driftloop.service.broker import Broker
from driftloop.service.connecting import left_in_place, until_connected
from driftloop.service.event_worker import EventHandler, EventWorker, HandledEvents
from driftloop.service.gap_told import ToldGap
from driftloop.service.handled_events import HandledEventsFile
from driftloop.service.health import Health
from driftloop.service.health_server import health_server
from driftloop.service.process import EXIT_FAILED, Stop
from driftloop.service.project import (
    FollowedRegistry,
    ProjectChoice,
    remember_project,
    remembered_project,
    restart_on_new_archive,
    wait_for_project,
)
from driftloop.service.settings import ServiceSettings
from driftloop.telemetry import configure_logging, get_logger

T = TypeVar("T")
FindProject = Callable[[FollowedRegistry, ObjectStore, ProjectChoice, Stop], Project]

log = get_logger(__name__)


class Server(Protocol):
    """Answers HTTP in threads of its own."""

    @property
    def alive(self) -> bool:
        """Whether it still answers."""

    def start(self) -> object:
        """Return at once; from now on it answers."""

    def stop(self) -> None:
        """Return once it has answered what it had in hand."""


class Parts:
    """What the library has for a service, made of its settings. Nothing connects before it is asked for."""

    def __init__(self, settings: ServiceSettings, stop: Stop) -> None:
        self.settings, self.stop, self.clock = settings, stop, SystemClock()
        self.broker = Broker(settings.kafka, settings.instance)
        self.state_dir = settings.state_dir / settings.instance
        self.registry = RegistryFollower(self.broker.topics("registry-log"), checkpoint=self.state_dir / "registry.checkpoint")
        self.at_end = ExitStack()  # what to close when HTTP has stopped

    def project(self, store: ObjectStore, *, log_seconds: float = 30.0, find: FindProject = wait_for_project) -> Project:
        """Follow the registry log and wait for the project to work for; from now on a new archive of it ends the process.

        Reading the log to its end may take ``log_seconds``; then ``find`` begins with what is known. The next start without
        the setting PROJECT works for the same project, however many are registered then. Raises Stopped.
        """
        self.registry.start(timeout_seconds=0)
        deadline = time.monotonic() + log_seconds
        while not self.registry.caught_up and time.monotonic() < deadline:
            self.stop.check()
            self.stop.wait(0.02)
        choice = ProjectChoice(self.settings.project, before=remembered_project(self.state_dir))
        project = find(self.registry, store, choice, self.stop)
        remember_project(self.state_dir, project.name)
        self.registry.subscribe(partial(restart_on_new_archive, project=project, stop=self.stop))
        restart_on_new_archive(self.registry.state(), project, self.stop)
        return project

    def until_connected(self, connect: Callable[[], T], *, on_failure: Callable[[TransientError], None] = lambda _: None) -> T:
        """What ``connect`` gives, tried again while broker or store are away. Raises Stopped."""
        return until_connected(connect, self.stop, on_failure=on_failure)

    def producer(self, *, delivery_timeout_seconds: float = 60) -> MessageProducer:
        """Connects on first use, and anew after a failed delivery: for steps that are repeated under the same id."""
        made = RenewedProducer(lambda: self.broker.producer(delivery_timeout_seconds=delivery_timeout_seconds))
        self.at_end.callback(made.close)
        return made

    def publisher(self, producer: MessageProducer) -> EventPublisher:
        """Events whose source is this service."""
        return Publisher(producer, source=f"driftloop/{self.settings.service.name}")

    def handled_events(self) -> HandledEvents:
        """Ids of events that this instance has handled, kept over its restarts. Raises ConfigurationError."""
        found = HandledEventsFile(self.settings.state_dir / self.settings.instance / "handled-events.sqlite")
        self.at_end.callback(found.close)
        return found

    def event_worker(
        self,
        *handlers: EventHandler,
        topics: Sequence[str],
        unreadable: str = "event-unreadable",
        handled: HandledEvents | None = None,
        max_poll_interval_seconds: float = 300,
    ) -> EventWorker:
        """Handles control topics as a member of the service's group. ``unreadable`` is what the log calls a record that is passed
        over. Raises TransientError."""
        consumer = self.broker.member(self.settings.service.name, topics, max_poll_interval_seconds=max_poll_interval_seconds)
        return EventWorker(consumer, handlers, stop=self.stop, reject=left_in_place(unreadable), handled=handled)


@contextmanager
def started(parts: Parts, health: Health, serve: Callable[[ServiceSettings, Health], Server] = health_server) -> Iterator[None]:
    """Logs and HTTP for the length of the block: health can be asked from the start, whatever else is not there yet.

    ``serve``: health alone, or with ``http_server.serving(app)`` beside an application of the service's own. HTTP that ends by
    itself stops the process. At the end of the block HTTP stops, and then what ``parts.at_end`` holds ends, the newest first.
    A GapError that ends the block is told over HTTP for a while before it ends the process: see ``gap_told``.
    Raises ConfigurationError when the port is taken.
    """
    configure_logging(parts.settings.service.name, parts.settings.instance)
    told = ToldGap(health)
    server = serve(parts.settings, told)
    server.start()
    ending = threading.Event()
    threading.Thread(target=_stop_without, args=(server, parts.stop, ending), name="http-watch", daemon=True).start()
    with parts.at_end:
        try:
            yield
        except StartAgain:
            raise  # at once: there is nothing that anybody could give up
        except GapError as exc:
            told.tell(exc, parts.stop)
            raise
        finally:
            ending.set()
            server.stop()


def _stop_without(server: Server, stop: Stop, ending: threading.Event) -> None:
    while not ending.wait(0.5):
        if not server.alive:
            log.error("http-server-ended")
            return stop.request(EXIT_FAILED)
    return None
