"""Messages to people: what is on its way, what arrived, what was given up; a test to each rule, and dead letters sent again."""

import getpass
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Literal

from driftloop.adapters.kafka import Producer, Publisher
from driftloop.client.connections import Connections
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event
from driftloop.contracts.notifications import NotificationAsked, NotificationDue, NotificationSettled
from driftloop.contracts.services import NOTIFIER
from driftloop.contracts.topics import NOTIFICATIONS
from driftloop.contracts.values import Part, Time
from driftloop.errors import TransientError, UserError
from driftloop.history.events import Events
from driftloop.history.log_reader import read_to_end
from driftloop.ports import Topics

State = Literal["on its way", "arrived", "dead"]
TEST_SECONDS = 120.0
LOOK_SECONDS = 0.5


class Notification(Part, frozen=True, kw_only=True):
    """A message as it stands. ``covers``: so many others that it stands for. ``problem``: why it was given up."""

    id: str
    time: Time  # when it became due
    project: str
    to: str
    kind: str | None
    phase: str
    text: str
    state: State
    covers: int
    problem: str | None = None
    asked: str | None = None  # id of the request that a test answers


class _Fold:
    """Of the notifier's topic."""

    def __init__(self) -> None:
        self.reset()

    def add(self, event: Event, about: Envelope) -> None:
        match event:
            case NotificationDue():
                self.due[about.id] = (event, about.time)
            case NotificationSettled() if event.notification in self.due:
                self.settled[event.notification] = event
            case NotificationAsked(action="retry"):
                dead = [id_ for id_, settled in self.settled.items() if not settled.delivered]
                for id_ in dead:
                    if event.notification in (None, id_) and event.project in (None, self.due[id_][0].project):
                        del self.settled[id_]
            case _:
                pass

    def reset(self) -> None:
        self.due: dict[str, tuple[NotificationDue, datetime]] = {}
        self.settled: dict[str, NotificationSettled] = {}

    def stored(self) -> bytes:
        return b""

    def restore(self, stored: bytes) -> None:
        raise ValueError("no checkpoint is kept of it")

    def found(self) -> list[Notification]:
        return [self._one(id_, event, time) for id_, (event, time) in self.due.items()]

    def _one(self, id: str, event: NotificationDue, time: datetime) -> Notification:
        settled = self.settled.get(id)
        state: State = "on its way" if settled is None else "arrived" if settled.delivered else "dead"
        return Notification(
            id=id,
            time=time,
            project=event.project,
            to=event.destination,
            kind=event.kind,
            phase=event.phase,
            text=event.text,
            state=state,
            covers=len(event.covers),
            problem=settled.problem if settled is not None else None,
            asked=event.key if event.phase == "test" else None,
        )


def notifications(topics: Topics, project: str | None = None) -> list[Notification]:
    """In the order in which they became due. Raises TransientError."""
    fold = _Fold()
    read_to_end(topics, [NOTIFICATIONS], Events(fold))
    return [one for one in fold.found() if project in (None, one.project)]


def retry(to: Connections, *, id: str | None = None, project: str | None = None) -> list[Notification]:
    """Ask the notifier to send dead letters again, one, named by how its id begins, or all; which. Raises UserError when there is none
    such or more than one, TransientError."""
    dead = [one for one in notifications(to.topics, project) if one.state == "dead" and one.id.startswith(id or "")]
    if not dead:
        known = "`driftloop notifications list --dead` shows those that there are"
        raise UserError("there are no dead letters" if id is None else f"no dead letter has the id {id}: {known}")
    if id is not None and len(dead) > 1:
        raise UserError(f"{len(dead)} dead letters have ids that begin with {id}: give more of it")
    one_of_them = None if id is None else dead[0].id
    _ask(to, NotificationAsked(action="retry", by=getpass.getuser(), project=project, notification=one_of_them))
    return dead


def send_test(
    to: Connections, *, project: str | None = None, seconds: float = TEST_SECONDS, clock: Callable[[], float] = time.monotonic
) -> list[Notification]:
    """Ask the notifier for a test message to each rule, and wait so long for what becomes of them.

    Raises UserError when no notifier runs or it follows no rule, TransientError when no message was due in time.
    """
    _check_notifier(to)
    asked = _ask(to, NotificationAsked(action="test", by=getpass.getuser(), project=project))
    deadline, found = clock() + seconds, list[Notification]()
    while clock() < deadline:
        before, found = found, [one for one in notifications(to.topics, project) if one.asked == asked]
        if found and len(found) == len(before) and all(one.state != "on its way" for one in found):
            return found
        time.sleep(LOOK_SECONDS)
    if not found:
        raise TransientError(f"the notifier has sent no test message within {seconds:g} s: `driftloop status` and its log say why")
    return found


def _check_notifier(to: Connections) -> None:
    from driftloop.client.service_status import asked

    services = {name: url for name, url in to.installation.services.items() if name.rpartition("-")[0] == NOTIFIER.name}
    if not services:
        raise UserError("no notifier runs here: `driftloop up --project DIR` starts it for a project with [[notify]] in its driftloop.toml")
    rules = [told.get("rules") for _, told in asked(services)]
    if rules and all(found == [] for found in rules):
        raise UserError("no registered project has a rule: write [[notify]] into its driftloop.toml, then `driftloop up --project DIR`")


def _ask(to: Connections, event: NotificationAsked) -> str:
    asked_id = str(uuid.uuid4())
    try:
        _publish(to, event, asked_id)
    except TransientError:  # whose outcome is unknown: the first of an id stands
        _publish(to, event, asked_id)
    return asked_id


def _publish(to: Connections, event: NotificationAsked, asked_id: str) -> None:
    with closing(Producer(to.kafka, client_id="driftloop-cli")) as producer:
        Publisher(producer, source="driftloop/cli").publish(NOTIFICATIONS, event, key=event.project or "all", id=asked_id)
