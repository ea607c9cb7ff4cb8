"""What has been decided, requested, run and reported so far: a fold of this model's control topics, kept by a thread.

The policy's state lives nowhere else. The first decision with an id stands, whoever wrote a second one.
"""

import threading
from datetime import datetime

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import (
    DecisionMade,
    PerformanceReported,
    RetrainReason,
    RetrainRequested,
    TrainingCompleted,
    TrainingFailed,
)
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.errors import InvalidMessage
from driftloop.monitoring.policy import Evidence
from driftloop.ports import Record
from driftloop.telemetry import get_logger

TOPICS = (DECISIONS, RETRAIN_REQUESTS, TRAINING_RUNS, PERFORMANCE_REPORTS)
REPORTS_KEPT = 2000  # last performance reports, by window and version

log = get_logger(__name__)


class _Recorded(Evidence, frozen=True, kw_only=True):
    """As the decider writes it."""

    trigger: RetrainReason | None = None


def _has_evidence(decision: DecisionMade) -> bool:
    """Whether the policy can go on from it. What no decider has written neither stands in the way of one that will, nor stops it."""
    try:
        return msgspec.convert(decision.evidence, _Recorded).window == decision.window
    except msgspec.ValidationError:
        return False


ReportKey = tuple[datetime, int | None]


class Journal:
    """Safe to read while another thread folds."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._decisions: dict[str, DecisionMade] = {}  # retrain decisions by event id
        self._requests: dict[str, datetime] = {}  # request id -> when it was published
        self._ended: set[str] = set()
        self._reports: dict[ReportKey, PerformanceReported] = {}

    def take(self, record: Record) -> None:
        """Fold one record; what cannot be read is somebody else's to answer for."""
        try:
            event, about = decode_event(record.value, record.headers)
        except InvalidMessage as exc:
            log.warning("journal-record-unreadable", topic=record.topic, offset=record.offset, reason=str(exc))
            return
        with self._lock:
            if getattr(event, "model", None) == self._model:
                self._fold(event, about)

    def _fold(self, event: object, about: Envelope) -> None:
        match event:
            case DecisionMade(kind="retrain", window=window) if window is not None:
                if _has_evidence(event):
                    self._decisions.setdefault(about.id, event)
                else:
                    log.warning("decision-without-evidence", decision=about.id, window=window.start.isoformat())
                    metrics.QUARANTINED.labels(DECISIONS).inc()
            case RetrainRequested():
                self._requests.setdefault(about.id, about.time)
            case TrainingCompleted() | TrainingFailed():
                self._ended.update((event.request_id, *event.answers))
            case PerformanceReported():
                key = event.window.start, event.version
                before = self._reports.pop(key, None)
                self._reports[key] = event if before is None or event.revision >= before.revision else before
                if len(self._reports) > REPORTS_KEPT:
                    del self._reports[next(iter(self._reports))]

    def decisions(self) -> list[DecisionMade]:
        """Retrain decisions on windows, in window order."""
        with self._lock:
            windows = [(d.window.start, d) for d in self._decisions.values() if d.window is not None]
        return [d for _, d in sorted(windows, key=lambda pair: pair[0])]

    def decision(self, event_id: str) -> DecisionMade | None:
        with self._lock:
            return self._decisions.get(event_id)

    def requested(self, request_id: str) -> bool:
        with self._lock:
            return request_id in self._requests

    def in_flight(self, since: datetime) -> tuple[str, ...]:
        """Requests published after ``since`` whose run has not ended, whoever made them; oldest first."""
        with self._lock:
            unended = [(at, request) for request, at in self._requests.items() if request not in self._ended and at >= since]
        return tuple(request for _, request in sorted(unended))

    def report(self, window_start: datetime, version: int | None) -> PerformanceReported | None:
        """The last performance report on a window."""
        with self._lock:
            return self._reports.get((window_start, version))
