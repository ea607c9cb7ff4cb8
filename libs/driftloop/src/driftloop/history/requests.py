"""What was asked for and what came of it: retrain requests and the runs that answer them. Pure."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.history.id_set import IdSet
from driftloop.history.told import Pair, Told

STARTS_KEPT = 1000  # times of a model's runs, however few of the runs themselves are
MODELS_KEPT = 1000  # of which there are such times, or a last run: who writes to the topic may make up names
PENDING_KEPT = 10_000  # requests and runs whose end was not told, the newest: who writes to the topic may make up ids

End = TypeVar("End", TrainingCompleted, TrainingFailed)
RunEvent = TrainingStarted | TrainingCompleted | TrainingFailed


class Run(NamedTuple):
    """A run, named by the request that it was made for, as far as it was told."""

    request_id: str
    started: Told[TrainingStarted] | None
    completed: Told[TrainingCompleted] | None
    failed: Told[TrainingFailed] | None


class StoredRequests(msgspec.Struct, frozen=True, kw_only=True):
    requests: list[Pair[RetrainRequested]]
    started: dict[str, Pair[TrainingStarted]]
    completed: dict[str, Pair[TrainingCompleted]]
    failed: dict[str, Pair[TrainingFailed]]
    requested_ids: bytes
    answered_ids: list[str]  # those whose events are kept, in the order of their answers
    answered: bytes
    last_completed: dict[str, str]
    starts: dict[str, list[datetime]] = msgspec.field(default_factory=dict)  # not in those of earlier releases


class Requests:
    """The first ``started`` of a request stands; a ``completed`` or ``failed`` answers all the requests that it names.

    The topics of requests and runs come in no order between them: an answer may be there before its request.
    ``kept``: how many answered requests to keep with their runs, those that were answered last; of older ones it is only
    known that they were made and answered. Beside them PENDING_KEPT that wait for an answer. None: all are kept.
    """

    def __init__(self, kept: int | None = None) -> None:
        self._kept = kept
        self._requests: dict[str, Told[RetrainRequested]] = {}  # in the order of the topic
        self._started: dict[str, Told[TrainingStarted]] = {}  # by every request id that the run answers
        self._completed: dict[str, Told[TrainingCompleted]] = {}
        self._failed: dict[str, Told[TrainingFailed]] = {}
        self._requested, self._answered = IdSet(), IdSet()
        self._whole: dict[str, None] = {}  # answered requests whose events are kept, in the order of their answers
        self._last_completed: dict[str, str] = {}  # model → request id
        self._starts: dict[str, deque[datetime]] = {}  # by model, those of the model that started last at the end

    def add_request(self, event: RetrainRequested, about: Envelope) -> None:
        self._requested.add(about.id)
        if about.id not in self._answered or about.id in self._whole:
            self._requests.setdefault(about.id, Told(event, about))
            self._forget()

    def add_run(self, event: RunEvent, about: Envelope) -> None:
        if isinstance(event, TrainingStarted) and event.request_id not in self._answered and event.request_id not in self._started:
            self._note_start(event.model, about.time)
        for request_id in dict.fromkeys((event.request_id, *event.answers)):
            if request_id in self._answered and request_id not in self._whole:
                continue  # its events are not kept any more
            match event:
                case TrainingStarted():
                    self._started.setdefault(request_id, Told(event, about))
                    continue
                case TrainingCompleted():
                    _put(self._completed, request_id, Told(event, about))
                case TrainingFailed():
                    _put(self._failed, request_id, Told(event, about))
            self._answered.add(request_id)
            self._whole.setdefault(request_id)
        if isinstance(event, TrainingCompleted):
            self._last_completed.pop(event.model, None)
            self._last_completed[event.model] = event.request_id
        self._forget()

    def requested(self, request_id: str) -> bool:
        return request_id in self._requested

    def answered(self, request_id: str) -> bool:
        """Whether a run that answers it has ended, whatever came of it."""
        return request_id in self._answered

    def request(self, request_id: str) -> Told[RetrainRequested] | None:
        return self._requests.get(request_id)

    def started(self, request_id: str) -> Told[TrainingStarted] | None:
        """The run that answers this request, if one has pinned its data."""
        return self._started.get(request_id)

    def ended(self, request_id: str) -> Told[TrainingCompleted] | Told[TrainingFailed] | None:
        """What came of the run that answers this request; a completed one, where twins have run it twice."""
        return self._completed.get(request_id) or self._failed.get(request_id)

    def starts_since(self, model: str, time: datetime) -> list[datetime]:
        """When runs of ``model`` were started, from ``time`` on, oldest first; of many, the newest STARTS_KEPT."""
        return sorted(start for start in self._starts.get(model, ()) if start >= time)

    def waiting(self, model: str) -> list[Told[RetrainRequested]]:
        """Requests that no run answers yet, oldest first."""
        return [t for t in self._unanswered() if t.event.model == model and t.about.id not in self._started]

    def in_flight(self, since: datetime) -> tuple[str, ...]:
        """Requests published at ``since`` or later whose run has not ended, whoever made them; oldest first."""
        return tuple(t.about.id for t in sorted(self._unanswered(), key=_when) if t.about.time >= since)

    def last_completed(self, model: str) -> str | None:
        """The request whose run completed last."""
        return self._last_completed.get(model)

    def runs(self) -> list[Run]:
        """In the order in which they started, then those of which only the end was told."""
        told = (t for events in (self._started, self._completed, self._failed) for t in events.values())
        own = dict.fromkeys(t.event.request_id for t in told)
        return [Run(of, self._started.get(of), self._completed.get(of), self._failed.get(of)) for of in own]

    def stored(self) -> StoredRequests:
        return StoredRequests(
            requests=[told.pair() for told in self._requests.values()],
            started={of: told.pair() for of, told in self._started.items()},
            completed={of: told.pair() for of, told in self._completed.items()},
            failed={of: told.pair() for of, told in self._failed.items()},
            requested_ids=self._requested.stored(),
            answered_ids=list(self._whole),
            answered=self._answered.stored(),
            last_completed=dict(self._last_completed),
            starts={model: list(starts) for model, starts in self._starts.items()},
        )

    def restore(self, stored: StoredRequests) -> None:
        self._requests = {about.id: Told(event, about) for event, about in stored.requests}
        self._started = {of: Told(*pair) for of, pair in stored.started.items()}
        self._completed = {of: Told(*pair) for of, pair in stored.completed.items()}
        self._failed = {of: Told(*pair) for of, pair in stored.failed.items()}
        self._requested, self._answered = IdSet(stored.requested_ids), IdSet(stored.answered)
        self._whole = dict.fromkeys(stored.answered_ids)
        self._last_completed = dict(stored.last_completed)
        self._starts = {model: deque(starts, STARTS_KEPT) for model, starts in stored.starts.items()}

    def _note_start(self, model: str, time: datetime) -> None:
        starts = self._starts.pop(model, None)
        self._starts[model] = deque(maxlen=STARTS_KEPT) if starts is None else starts
        self._starts[model].append(time)
        if len(self._starts) > MODELS_KEPT:
            del self._starts[next(iter(self._starts))]

    def _unanswered(self) -> Iterator[Told[RetrainRequested]]:
        return (told for told in self._requests.values() if told.about.id not in self._answered)

    def _forget(self) -> None:
        if self._kept is None:
            return
        while len(self._last_completed) > MODELS_KEPT:
            del self._last_completed[next(iter(self._last_completed))]
        for waiting in (self._requests, self._started):
            while len(waiting) > self._kept + PENDING_KEPT:
                del waiting[next(iter(waiting))]
        while len(self._whole) > self._kept:
            oldest = next(iter(self._whole))
            del self._whole[oldest]
            for events in (self._requests, self._started, self._completed, self._failed):
                events.pop(oldest, None)


def _put(events: dict[str, Told[End]], request_id: str, told: Told[End]) -> None:
    """The first stands; only the end of a request's own run takes the place of one of another run that names it."""
    before = events.get(request_id)
    if before is None or told.event.request_id == request_id != before.event.request_id:
        events[request_id] = told


def _when(told: Told[RetrainRequested]) -> tuple[datetime, str]:
    return told.about.time, told.about.id
