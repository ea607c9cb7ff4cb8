"""A model's history: what was asked, decided, run, reported and reproduced. One fold, for services, commands and the demo. Pure."""

import threading
from datetime import datetime
from typing import NamedTuple

import msgspec

from driftloop.contracts import topics
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import (
    DecisionMade,
    DriftReported,
    Event,
    IncidentReported,
    PerformanceReported,
    RetrainRequested,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
    VersionReproduced,
)
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window
from driftloop.history.decisions import Decisions, StoredDecisions
from driftloop.history.reports import Reports
from driftloop.history.requests import Requests, Run, StoredRequests
from driftloop.history.told import Pair, Told
from driftloop.monitoring.late_labels import CountedLabels
from driftloop.monitoring.policy import PolicyState

# Where the loop tells a model's history; ``reproductions`` are told by audits. A reader folds those that its questions need.
LOOP_TOPICS = (topics.DECISIONS, topics.RETRAIN_REQUESTS, topics.TRAINING_RUNS, topics.DRIFT_REPORTS, topics.PERFORMANCE_REPORTS)


class Keep(NamedTuple):
    """How much of a history stays; None: all. See ``Decisions``, ``Requests`` and ``Reports``.

    Beside it stay 16 bytes for each id of an event, and nothing is answered wrongly because something was left out.
    """

    decisions: int | None = None
    answered: int | None = None
    reports: int | None = None
    whole: int | None = None  # decisions with all of their evidence


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    model: str | None
    keep: Keep
    decisions: StoredDecisions
    requests: StoredRequests
    drift: list[Pair[DriftReported]]
    performance: list[Pair[PerformanceReported]]
    reproductions: list[Pair[VersionReproduced]]
    incidents: list[Pair[IncidentReported]] = []


class ModelHistory:
    """Of one model, or of all (None). Keeps ``events.EventFold``; safe to ask while another thread folds."""

    def __init__(self, model: str | None = None, keep: Keep = Keep()) -> None:  # noqa: B008 - immutable
        self._model, self._keep = model, keep
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._decisions, self._requests = Decisions(self._keep.decisions, self._keep.whole), Requests(self._keep.answered)
        self._drift: Reports[DriftReported] = Reports(self._keep.reports)
        self._performance: Reports[PerformanceReported] = Reports(self._keep.reports)
        self._reproductions: dict[str, Told[VersionReproduced]] = {}
        self._incidents: dict[str, Told[IncidentReported]] = {}  # by incident, in the order in which they came last

    def add(self, event: Event, about: Envelope) -> None:
        """Fold one event. Adding it twice changes nothing."""
        if self._model is not None and getattr(event, "model", None) != self._model:
            return
        with self._lock:
            match event:
                case DecisionMade():
                    self._decisions.add(event, about)
                case RetrainRequested():
                    self._requests.add_request(event, about)
                case TrainingStarted() | TrainingCompleted() | TrainingFailed():
                    self._requests.add_run(event, about)
                case DriftReported():
                    self._drift.add(event, about)
                case PerformanceReported():
                    self._performance.add(event, about)
                case VersionReproduced():
                    self._reproductions.setdefault(about.id, Told(event, about))
                case IncidentReported():
                    self._incidents.pop(event.incident, None)
                    self._incidents[event.incident] = Told(event, about)
                    if self._keep.reports is not None and len(self._incidents) > self._keep.reports:
                        del self._incidents[next(iter(self._incidents))]
                case _:
                    pass  # other kinds, and newer ones, are no part of a model's history

    def reset(self) -> None:
        with self._lock:
            self._clear()

    def stored(self) -> bytes:
        with self._lock:
            stored = _Stored(
                model=self._model,
                keep=self._keep,
                decisions=self._decisions.stored(),
                requests=self._requests.stored(),
                drift=self._drift.stored(),
                performance=self._performance.stored(),
                reproductions=[told.pair() for told in self._reproductions.values()],
                incidents=[told.pair() for told in self._incidents.values()],
            )
        return msgspec.msgpack.encode(stored)

    def restore(self, stored: bytes) -> None:
        """Raises ValueError when it is the history of another model, or has kept less or more."""
        found = msgspec.msgpack.decode(stored, type=prepared(_Stored))
        if (found.model, found.keep) != (self._model, self._keep):
            raise ValueError(f"it is the history of {found.model or 'all models'} with {found.keep}")
        with self._lock:
            self._clear()
            self._decisions.restore(found.decisions)
            self._requests.restore(found.requests)
            self._drift.restore(found.drift)
            self._performance.restore(found.performance)
            self._reproductions = {about.id: Told(event, about) for event, about in found.reproductions}
            self._incidents = {event.incident: Told(event, about) for event, about in found.incidents}

    # decisions

    def retrain_decisions(self) -> list[DecisionMade]:
        """Retrain decisions on windows, in window order; older ones may be in ``carried``."""
        with self._lock:
            return self._decisions.retrain()

    def last_retrain_decision(self) -> Told[DecisionMade] | None:
        """The one on the last window."""
        with self._lock:
            return self._decisions.last_retrain()

    def carried(self, model: str) -> PolicyState:
        """What the policy needs of retrain decisions that are not kept."""
        with self._lock:
            return self._decisions.carried(model)

    def counted_labels(self, model: str) -> dict[Window, CountedLabels]:
        """Labels of the windows whose retrain decisions are kept, as decisions have counted them."""
        with self._lock:
            return self._decisions.counted_labels(model)

    def retrain_decision(self, window: Window) -> Told[DecisionMade] | None:
        """To retrain or not after this window: the first that was made."""
        with self._lock:
            return self._decisions.on_window(window)

    def promotion_decision(self, request_id: str) -> Told[DecisionMade] | None:
        """To promote or not what came of the run of ``request_id``."""
        with self._lock:
            return self._decisions.on_run(request_id)

    def decisions(self) -> list[Told[DecisionMade]]:
        """All that are kept, of both kinds, in order of time."""
        with self._lock:
            return self._decisions.all()

    # requests and runs

    def requested(self, request_id: str) -> bool:
        with self._lock:
            return self._requests.requested(request_id)

    def answered(self, request_id: str) -> bool:
        """Whether a run that answers it has ended, whatever came of it."""
        with self._lock:
            return self._requests.answered(request_id)

    def request(self, request_id: str) -> Told[RetrainRequested] | None:
        with self._lock:
            return self._requests.request(request_id)

    def started(self, request_id: str) -> Told[TrainingStarted] | None:
        """The start of the run that answers this request; the first one stands."""
        with self._lock:
            return self._requests.started(request_id)

    def ended(self, request_id: str) -> Told[TrainingCompleted] | Told[TrainingFailed] | None:
        """What came of the run that answers this request."""
        with self._lock:
            return self._requests.ended(request_id)

    def starts_since(self, model: str, time: datetime) -> list[datetime]:
        """When runs of ``model`` were started, from ``time`` on, oldest first; of many, the newest STARTS_KEPT."""
        with self._lock:
            return self._requests.starts_since(model, time)

    def waiting(self, model: str) -> list[Told[RetrainRequested]]:
        """Requests that no run answers yet, oldest first."""
        with self._lock:
            return self._requests.waiting(model)

    def in_flight(self, since: datetime) -> tuple[str, ...]:
        """Requests published at ``since`` or later whose run has not ended, whoever made them; oldest first."""
        with self._lock:
            return self._requests.in_flight(since)

    def last_completed(self, model: str) -> str | None:
        """The request whose run completed last."""
        with self._lock:
            return self._requests.last_completed(model)

    def runs(self) -> list[Run]:
        """In the order in which they started, then those of which only the end was told."""
        with self._lock:
            return self._requests.runs()

    # reports and reproductions

    def performance_report(self, model: str, window: Window, version: int | None) -> PerformanceReported | None:
        """The newest revision. ``version`` None: of all versions together."""
        with self._lock:
            return self._performance.newest(model, window, version)

    def drift_report(self, window: Window) -> DriftReported | None:
        """The newest revision; that of the version with most rows, when several have scored the window."""
        found = [told.event for told in self.drift_reports() if told.event.window == window]
        return max(found, key=lambda e: (e.version is not None, e.rows), default=None)

    def drift_reports(self) -> list[Told[DriftReported]]:
        """The newest revision of each window and version, by model, window and version."""
        with self._lock:
            return self._drift.all()

    def performance_reports(self) -> list[Told[PerformanceReported]]:
        """The newest revision of each window and version, by model, window and version."""
        with self._lock:
            return self._performance.all()

    def reproductions(self) -> list[Told[VersionReproduced]]:
        """In order of time."""
        with self._lock:
            return sorted(self._reproductions.values(), key=lambda told: told.about.time)

    def incidents(self) -> list[Told[IncidentReported]]:
        """Each as it was told last, by model and start; without those that late rows have taken back."""
        with self._lock:
            found = [told for told in self._incidents.values() if told.event.windows]
            return sorted(found, key=lambda told: (told.event.model, told.event.start, told.event.incident))
