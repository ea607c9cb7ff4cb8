"""What has been asked and what has been answered: the folds of ``retrain-requests`` and ``training-runs``."""

from typing import NamedTuple

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event, RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted


class Asked(NamedTuple):
    """A request and its id, which is its event's."""

    id: str
    request: RetrainRequested


class Ledger:
    """The first ``started`` of a request stands; a ``completed`` or ``failed`` answers all the requests that it names."""

    def __init__(self) -> None:
        self._asked: dict[str, dict[str, RetrainRequested]] = {}  # by model, in the order of the topic
        self._started: dict[str, TrainingStarted] = {}  # by every request id that the run answers
        self._answered: set[str] = set()
        self._completed: dict[str, str] = {}  # model → request id of the latest

    def take(self, event: Event, about: Envelope) -> None:
        """Fold one event of either topic; taking it twice changes nothing."""
        match event:
            case RetrainRequested():
                self._asked.setdefault(event.model, {}).setdefault(about.id, event)
            case TrainingStarted():
                for request_id in (event.request_id, *event.answers):
                    self._started.setdefault(request_id, event)
            case TrainingCompleted():
                self._answered |= {event.request_id, *event.answers}
                self._completed[event.model] = event.request_id
            case TrainingFailed():
                self._answered |= {event.request_id, *event.answers}
            case _:
                pass  # newer kinds of events are none of the ledger's business

    def answered(self, request_id: str) -> bool:
        return request_id in self._answered

    def started(self, request_id: str) -> TrainingStarted | None:
        """The run that answers this request, if one has pinned its data."""
        return self._started.get(request_id)

    def waiting(self, model: str) -> list[Asked]:
        """Requests that no run answers yet, oldest first."""
        asked = self._asked.get(model, {}).items()
        return [Asked(of, request) for of, request in asked if of not in self._answered and of not in self._started]

    def last_completed(self, model: str) -> str | None:
        return self._completed.get(model)
