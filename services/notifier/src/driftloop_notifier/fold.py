"""The record as the notifier folds it: what happened, and what was told of it."""

from driftloop.contracts import topics
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event, IncidentReported, TrainingCompleted, TrainingFailed
from driftloop.contracts.notifications import NotificationAsked, NotificationDue, NotificationRuleSeen, NotificationSettled
from driftloop_notifier.conditions import Recorded
from driftloop_notifier.memory import Memory

TOPICS = (topics.INCIDENTS, topics.TRAINING_RUNS, topics.NOTIFICATIONS)


class NotifierFold:
    """Keeps ``history.events.EventFold``. Folded anew at each start: there are some dozens of such events a day."""

    def __init__(self) -> None:
        self.reset()

    def add(self, event: Event, about: Envelope) -> None:
        match event:
            case IncidentReported():
                self.recorded.on_incident(event, about)
            case TrainingFailed():
                self.recorded.on_run_failed(event, about)
            case TrainingCompleted():
                self.recorded.on_run_completed(event, about)
            case NotificationRuleSeen():
                self.memory.on_rule(event)
            case NotificationDue():
                self.memory.on_due(event, about)
            case NotificationSettled():
                self.memory.on_settled(event)
            case NotificationAsked():
                self.memory.on_asked(event, about)
            case _:
                pass  # what began or was decided wakes nobody

    def reset(self) -> None:
        self.recorded, self.memory = Recorded(), Memory()

    def stored(self) -> bytes:
        return b""

    def restore(self, stored: bytes) -> None:
        raise ValueError("the notifier keeps no checkpoint")
