"""What was told, to whom and with what success: a fold of the notifier's own topic. Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from driftloop.contracts.codec import Envelope
from driftloop.contracts.notifications import NotificationAsked, NotificationDue, NotificationRuleSeen, NotificationSettled
from driftloop.history.id_set import IdSet

MOST_DEAD = 1000  # letters whose text is at hand; the record holds all
MOST_TESTS = 20  # that were asked for last


class Letter(NamedTuple):
    """A message under its id. ``round``: how often somebody has asked for it to be sent again."""

    id: str
    due: NotificationDue
    since: datetime  # when this round of attempts began
    round: int = 0


class Asked(NamedTuple):
    id: str
    at: datetime
    project: str | None


class Memory:
    """``pending``: what is on its way, ``dead``: what was given up, both by id and in order. ``open``: of what has not ended as far as
    anybody was told, by kind, whom it is about and the rule that was told, the message that told its beginning. ``rules``: since when
    each is followed."""

    def __init__(self) -> None:
        self.rules: dict[str, datetime] = {}
        self.pending: dict[str, Letter] = {}
        self.dead: dict[str, Letter] = {}
        self.open: dict[tuple[str, str, str], NotificationDue] = {}
        self.tests: list[Asked] = []
        self._told = IdSet()

    def told(self, id: str) -> bool:
        """Whether this message was due once, or another one that stands for it."""
        return id in self._told

    def begun(self, rules: Collection[tuple[str, str]]) -> list[NotificationDue]:
        """What has not ended, as those were told who still ask: rules and the kinds that each asks for. An end that one of them has
        heard of and another has not is still to be told."""
        return [event for (kind, _, rule), event in self.open.items() if (rule, kind) in rules]

    def on_rule(self, event: NotificationRuleSeen) -> None:
        self.rules.setdefault(event.rule, event.since)

    def on_due(self, event: NotificationDue, about: Envelope) -> None:
        for told in (about.id, *event.covers):
            self._told.add(told)
        self.pending[about.id] = Letter(about.id, event, about.time)
        if event.kind is not None:
            if event.phase == "opened":
                self.open[event.kind, event.about, event.rule] = event
            elif event.phase == "closed" and (begun := self.open.get((event.kind, event.about, event.rule))) and begun.key == event.key:
                del self.open[event.kind, event.about, event.rule]

    def on_settled(self, event: NotificationSettled) -> None:
        letter = self.pending.pop(event.notification, None)
        if letter is None or event.delivered:
            return
        self.dead[letter.id] = letter
        if len(self.dead) > MOST_DEAD:
            del self.dead[next(iter(self.dead))]

    def on_asked(self, event: NotificationAsked, about: Envelope) -> None:
        if event.action == "test":
            self.tests = [*self.tests, Asked(about.id, about.time, event.project)][-MOST_TESTS:]
            return
        for letter in list(self.dead.values()):
            if event.notification in (None, letter.id) and event.project in (None, letter.due.project):
                del self.dead[letter.id]
                self.pending[letter.id] = letter._replace(since=about.time, round=letter.round + 1)
