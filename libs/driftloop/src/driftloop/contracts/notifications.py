"""What people are told outside, on record: what is due, what arrived and what did not.

The notifier writes down that a message is due before it sends it, under an id that follows from what happened: whatever ends the
process in between, the message goes out under the same id, and nothing is told twice under two.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from driftloop.contracts.events import Event
from driftloop.contracts.names import Name
from driftloop.contracts.notify_rules import NotifyKind
from driftloop.contracts.values import Count, ModelName, Time

# opened, raised, closed: of one thing that happened. left-out: what is too old to be told one by one. test: somebody asked for it.
Phase = Literal["opened", "raised", "closed", "left-out", "test"]


class NotificationRuleSeen(Event, frozen=True, kw_only=True):
    """A rule is followed from now on: what had ended before is not told to it."""

    TYPE: ClassVar[str] = "driftloop.notification-rule-seen.v1"
    project: Name
    rule: str
    destination: str
    since: Time


class NotificationDue(Event, frozen=True, kw_only=True):
    """A message has to go out; its id is the event's. ``key`` names what happened, ``about`` whom it happened to.

    ``opening``: id of the message that told the beginning, of one that tells how it went on. ``covers``: ids of those that it stands for.
    """

    TYPE: ClassVar[str] = "driftloop.notification-due.v1"
    project: Name
    rule: str
    destination: str
    kind: NotifyKind | None  # null: a test, or of several kinds
    phase: Phase
    key: str
    about: str
    model: ModelName | None
    at: Time  # when it happened
    text: str
    act: str
    link: str | None = None
    evidence: Mapping[str, Any] = {}
    opening: str | None = None
    covers: tuple[str, ...] = ()


class NotificationSettled(Event, frozen=True, kw_only=True):
    """A message has arrived, or it was given up and is kept as a dead letter. ``attempts``: of the process that ended it."""

    TYPE: ClassVar[str] = "driftloop.notification-settled.v1"
    project: Name
    notification: str
    delivered: bool
    attempts: Count
    problem: str | None = None


class NotificationAsked(Event, frozen=True, kw_only=True):
    """A person asked for a test message to each rule, or for dead letters to be sent again. Null: of all projects, all of them."""

    TYPE: ClassVar[str] = "driftloop.notification-asked.v1"
    action: Literal["test", "retry"]
    by: str
    project: Name | None = None
    notification: str | None = None
