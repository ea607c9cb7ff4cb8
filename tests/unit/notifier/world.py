"""A record and the notifier's part in it, without a process: what is folded is what was written, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from driftloop.contracts import codec
from driftloop.contracts.codec import Envelope, caused_id, envelope
from driftloop.contracts.events import Event, IncidentReported, TrainingCompleted, TrainingFailed
from driftloop.contracts.notifications import NotificationAsked, NotificationDue, NotificationRuleSeen, NotificationSettled
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.contracts.values import Window
from driftloop_notifier.conditions import Condition
from driftloop_notifier.due import Due, due
from driftloop_notifier.fold import NotifierFold
from driftloop_notifier.rules import Addressee

START = datetime(2026, 5, 1, tzinfo=UTC)
MODEL = "shop"
HOOK = Addressee(MODEL, MODEL, NotifyRule(to="https://hooks.example/a"))
DAY = timedelta(days=1)


def minutes(n: float) -> datetime:
    return START + timedelta(minutes=n)


def incident(
    name: str = "one", state: Any = "opened", severity: float = 0.4, windows: int = 1, model: str = MODEL, **more: Any
) -> IncidentReported:
    fields = {
        "model": model,
        "stream": model,
        "incident": name,
        "state": state,
        "start": START,
        "end": START + timedelta(hours=windows),
        "windows": windows,
        "columns": {"temp": severity},
        "severity": severity,
        "version": 1,
        "window": Window(start=START, end=START + timedelta(hours=1)),
    }
    return IncidentReported(**fields | more)


def failed(request: str, reason: str = "no labels", model: str = MODEL) -> TrainingFailed:
    return TrainingFailed(model=model, request_id=request, answers=(request,), reason=reason)


def completed(model: str = MODEL) -> TrainingCompleted:
    example = Path(codec.__file__).parent / "examples" / f"{TrainingCompleted.TYPE}.json"
    return msgspec.structs.replace(msgspec.json.decode(example.read_bytes(), type=TrainingCompleted), model=model)


class World:
    """What is on the topics, in the order in which it was written."""

    def __init__(self, *addressees: Addressee) -> None:
        self.addressees = addressees or (HOOK,)
        self.record: list[tuple[Event, Envelope]] = []

    def says(self, event: Event, at: float, id: str | None = None) -> None:
        subject = str(getattr(event, "model", getattr(event, "project", None) or "all"))
        self.record.append(
            (
                event,
                envelope(event, id=id or f"{type(event).__name__}-{len(self.record)}", source="test", subject=subject, time=minutes(at)),
            )
        )

    def folded(self) -> NotifierFold:
        fold, seen = NotifierFold(), set[str]()
        for event, about in self.record:
            if about.id not in seen:
                seen.add(about.id)
                fold.add(event, about)
        return fold

    def follow(self, at: float = 0) -> None:
        """The rules are known from then on."""
        for one in self.addressees:
            event = NotificationRuleSeen(project=one.project, rule=one.stated, destination=one.rule.destination, since=minutes(at))
            self.says(event, at, caused_id("notification-rule", one.stated))

    def begun(self) -> list[NotificationDue]:
        """What has begun and not ended, as far as the rules were told."""
        return self.folded().memory.begun({(one.id, kind) for one in self.addressees for kind in one.rule.events})

    def due(self, at: float, *more: Condition, max_age: timedelta = DAY) -> list[Due]:
        """What is to be sent then, of what is on record and of what else is known."""
        fold = self.folded()
        return due(self.addressees, [*fold.recorded, *more], fold.memory, minutes(at), max_age=max_age)

    def write(self, at: float, *more: Condition, most: int | None = None, max_age: timedelta = DAY) -> list[Due]:
        """One round of the notifier, which is killed after it has written down ``most`` messages."""
        found = self.due(at, *more, max_age=max_age)[:most]
        for one in found:
            self.says(one.event, at, one.id)
        return found

    def settle(self, id: str, at: float, problem: str | None = None) -> None:
        event = NotificationSettled(project=MODEL, notification=id, delivered=problem is None, attempts=1, problem=problem)
        self.says(event, at)

    def ask(self, action: Any, at: float, **more: Any) -> None:
        self.says(NotificationAsked(action=action, by="anna", **more), at)


def phases(found: list[Due]) -> list[str]:
    return [f"{one.event.kind} {one.event.phase}" for one in found]
