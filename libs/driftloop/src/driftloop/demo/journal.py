"""What the services have said on the control topics since the stack was started."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from driftloop.contracts import topics
from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import (
    DecisionMade,
    DriftReported,
    Event,
    PerformanceReported,
    RetrainRequested,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
)
from driftloop.contracts.values import Window
from driftloop.errors import InvalidMessage
from driftloop.ports import MessageConsumer
from driftloop.telemetry import get_logger

TOPICS = (topics.DECISIONS, topics.RETRAIN_REQUESTS, topics.TRAINING_RUNS, topics.DRIFT_REPORTS, topics.PERFORMANCE_REPORTS)
E = TypeVar("E", bound=Event)

log = get_logger(__name__)


class Said(NamedTuple):
    """An event with its envelope."""

    event: Event
    about: Envelope


class Journal:
    """Reads TOPICS from their beginning through ``consumer``, which must stand there. Keeps every event, once per id."""

    def __init__(self, consumer: MessageConsumer, model: str) -> None:
        self._consumer, self._model = consumer, model
        self._said: dict[str, Said] = {}

    def read(self, timeout_seconds: float = 0.0) -> None:
        """Take in what is there, waiting up to ``timeout_seconds`` for the first of it."""
        polled = self._consumer.poll(timeout_seconds)
        while polled:
            for record in (r for records in polled.values() for r in records):
                try:
                    event, about = decode_event(record.value, record.headers)
                except InvalidMessage as exc:
                    log.warning("event-unreadable", topic=record.topic, offset=record.offset, reason=str(exc))
                    continue
                if getattr(event, "model", None) == self._model:
                    self._said.setdefault(about.id, Said(event, about))
            polled = self._consumer.poll(0.0)

    def close(self) -> None:
        self._consumer.close()

    def retrain_decision(self, window: Window) -> tuple[DecisionMade, Envelope] | None:
        """The first one: to retrain or not after this window."""
        return self._first(DecisionMade, lambda e: e.kind == "retrain" and e.window == window)

    def promotion_decision(self, request_id: str) -> tuple[DecisionMade, Envelope] | None:
        return self._first(DecisionMade, lambda e: e.kind == "promote" and e.request_id == request_id)

    def request(self, request_id: str) -> tuple[RetrainRequested, Envelope] | None:
        said = self._said.get(request_id)
        return (said.event, said.about) if said is not None and isinstance(said.event, RetrainRequested) else None

    def started(self, request_id: str) -> tuple[TrainingStarted, Envelope] | None:
        """The start of the run that answers this request. The first one stands."""
        return self._first(TrainingStarted, lambda e: request_id in (e.request_id, *e.answers))

    def ended(self, request_id: str) -> tuple[TrainingCompleted | TrainingFailed, Envelope] | None:
        """The outcome of the run that answers this request."""
        done = self._first(TrainingCompleted, lambda e: request_id in (e.request_id, *e.answers))
        return done or self._first(TrainingFailed, lambda e: request_id in (e.request_id, *e.answers))

    def drift(self, window: Window) -> DriftReported | None:
        """The newest revision; that of the version with most rows, when several have scored the window."""
        found = [e for e in self._all(DriftReported) if e.window == window]
        return max(found, key=lambda e: (e.version is not None, e.rows, e.revision), default=None)

    def performance(self, window: Window) -> PerformanceReported | None:
        """The newest revision of all versions together, else of any."""
        found = [e for e in self._all(PerformanceReported) if e.window == window]
        return max(found, key=lambda e: (e.version is None, e.rows, e.revision), default=None)

    def _all(self, kind: type[E]) -> list[E]:
        return [said.event for said in self._said.values() if isinstance(said.event, kind)]

    def _first(self, kind: type[E], matches: Callable[[E], bool]) -> tuple[E, Envelope] | None:
        found = [(s.event, s.about) for s in self._said.values() if isinstance(s.event, kind) and matches(s.event)]
        return min(found, key=lambda pair: pair[1].time, default=None)
