"""One round of the notifier: fold what is new, write down what is due, hand it over, write down what became of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from driftloop import metrics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import Event
from driftloop.contracts.notifications import NotificationRuleSeen, NotificationSettled
from driftloop.contracts.topics import NOTIFICATIONS
from driftloop.crashpoints import crash_point
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import EventPublisher
from driftloop.registry.state import RegistryState
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger
from driftloop_notifier.conditions import Condition
from driftloop_notifier.deliveries import Deliveries, Outcome
from driftloop_notifier.due import due
from driftloop_notifier.fold import NotifierFold
from driftloop_notifier.memory import Letter
from driftloop_notifier.observed import Open, approvals
from driftloop_notifier.rules import Addressee, RuleBook

READ_SECONDS = 1.0  # for something new on the record, between two looks at what else there is
CATCH_UP_SECONDS = 5.0
PAUSE_SECONDS = 2.0  # while the broker is away
GONE = "the rule that it was for is no longer in driftloop.toml"

log = get_logger(__name__)


class Reader(Protocol):
    """Folds the record to its end."""

    def catch_up(self, timeout_seconds: float) -> bool:
        """False when nothing has come for so long. Raises TransientError, ConfigurationError."""

    def read(self, timeout_seconds: float) -> None:
        """Fold what is there, waiting so long for the first of it. Raises TransientError, ConfigurationError."""


class Observed(Protocol):
    """Services, asked how they are."""

    def conditions(self, told: Open, now: datetime) -> list[Condition]:
        """As ``observed.Watch`` has it."""


class Notifier:
    """The only writer of what is due and settled: one process of it at a time."""

    def __init__(
        self,
        fold: NotifierFold,
        reader: Reader,
        registry: Callable[[], RegistryState],
        rules: RuleBook,
        observed: Observed,
        deliveries: Deliveries,
        publisher: EventPublisher,
        *,
        now: Callable[[], datetime],
        max_age: timedelta,
        console_url: str | None,
    ) -> None:
        self.fold, self._reader, self._registry, self._rules = fold, reader, registry, rules
        self._observed, self._deliveries, self._publisher, self._now = observed, deliveries, publisher, now
        self._max_age, self._console_url = max_age, console_url
        self._unwritten: list[Outcome] = []
        self.caught_up, self.trouble = False, ""
        self.addressees: tuple[Addressee, ...] = ()

    def run(self, stop: Stop) -> None:
        """Until a stop is requested. Goes on through outages of broker and store."""
        while not stop.requested():
            try:
                self.round()
                self.trouble = ""
            except (TransientError, ConfigurationError) as exc:
                self.trouble = str(exc)
                log.warning("round-postponed", reason=str(exc))
                metrics.RETRIES.labels("notify").inc()
                stop.wait(PAUSE_SECONDS)

    def round(self) -> None:
        """Raises TransientError, ConfigurationError: the next one goes on where this one was."""
        if self.caught_up:
            self._reader.read(READ_SECONDS)
        elif not self._reader.catch_up(CATCH_UP_SECONDS):
            return
        self.caught_up = True
        state = self._registry()
        self.addressees = self._rules.of(state)
        written = [self._publish_rules(), self._publish_due(state)]
        if any(written) and not self._reader.catch_up(CATCH_UP_SECONDS):
            return
        self._hand_over()
        self._unwritten += self._deliveries.settled()
        while self._unwritten:
            self._publish_settled(self._unwritten[0])
            self._unwritten.pop(0)

    def _publish_rules(self) -> bool:
        new = [one for one in self.addressees if one.stated not in self.fold.memory.rules]
        for one in new:
            event = NotificationRuleSeen(project=one.project, rule=one.stated, destination=one.rule.destination, since=self._now())
            self._publish(event, one.project, caused_id("notification-rule", one.stated))
        return bool(new)

    def _publish_due(self, state: RegistryState) -> bool:
        now, memory = self._now(), self.fold.memory
        told = memory.begun({(one.id, kind) for one in self.addressees for kind in one.rule.events})
        conditions = [*self.fold.recorded, *approvals(state, told, now), *self._observed.conditions(told, now)]
        found = due(self.addressees, conditions, memory, now, max_age=self._max_age, console_url=self._console_url)
        for one in found:
            self._publish(one.event, one.event.project, one.id)
            crash_point("notifier.after-due")
            log.info("notification-due", id=one.id, kind=one.event.kind, phase=one.event.phase, to=one.event.destination)
        return bool(found)

    def _hand_over(self) -> None:
        by_id = {one.id: one for one in self.addressees}
        letters, memory = [], self.fold.memory
        for letter in memory.pending.values():
            addressee = by_id.get(letter.due.rule)
            if addressee is not None:
                letters.append((letter, addressee.rule))
            elif letter.due.project not in self._rules.troubles:
                self._unwritten.append(Outcome(letter, 0, GONE))
        written = {(outcome.letter.id, outcome.letter.round) for outcome in self._unwritten}
        self._deliveries.take((letter, rule) for letter, rule in letters if (letter.id, letter.round) not in written)
        metrics.NOTIFICATIONS_WAITING.set(len(memory.pending))
        metrics.DEAD_LETTERS.set(len(memory.dead))

    def _publish_settled(self, outcome: Outcome) -> None:
        letter, delivered = outcome.letter, outcome.problem is None
        crash_point("notifier.before-settled")
        event = NotificationSettled(
            project=letter.due.project,
            notification=letter.id,
            delivered=delivered,
            attempts=outcome.attempts,
            problem=outcome.problem,
        )
        self._publish(event, letter.due.project, settled_id(letter))
        metrics.NOTIFICATIONS.labels("delivered" if delivered else "dead").inc()
        tell = log.info if delivered else log.error
        tell("notification-settled", id=letter.id, to=letter.due.destination, problem=outcome.problem)

    def _publish(self, event: Event, project: str, id: str) -> None:
        self._publisher.publish(NOTIFICATIONS, event, key=project, id=id)


def settled_id(letter: Letter) -> str:
    """Each round of attempts ends once."""
    return caused_id("notification-settled", letter.id, letter.round)
