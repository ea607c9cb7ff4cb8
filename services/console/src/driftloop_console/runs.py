"""What is known of the runs behind versions: why each was asked for, what it measured, and what the gate said."""

from collections.abc import Collection

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import DecisionMade, RetrainRequested, TrainingCompleted, TrainingFailed, TrainingStarted
from driftloop.contracts.values import GateMeasurements
from driftloop_console.columns import milliseconds

KEPT = 2_000  # requests, those that were told of last


class Candidate(msgspec.Struct, frozen=True):
    recipe: str
    rows: int
    metric: float | None
    seconds: float
    error: str | None


class Run(msgspec.Struct):
    """By the request that it answers. Times in milliseconds since 1970; what nobody has told yet is None."""

    request_id: str
    model: str
    asked: int | None = None
    asked_by: str | None = None
    why: str | None = None  # the request's reason with its detail
    started: int | None = None
    ended: int | None = None
    failed: str | None = None
    recipe: str | None = None
    rows: int | None = None
    seconds: float | None = None
    candidates: tuple[Candidate, ...] = ()
    measurements: GateMeasurements | None = None
    judged: int | None = None
    accepted: bool | None = None
    verdict: str | None = None  # the gate's reason


class Runs:
    """The newest KEPT. Topics come in no order among each other, so any event may be the first of its run."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def add(self, event: RetrainRequested | TrainingStarted | TrainingCompleted | TrainingFailed | DecisionMade, about: Envelope) -> None:
        at = milliseconds(about.time)
        match event:
            case RetrainRequested():
                run = self._of(about.id, event.model)
                run.asked, run.asked_by = at, event.requested_by
                run.why = f"{event.reason}: {event.detail}"[:500] if event.detail else event.reason
            case TrainingStarted():
                run = self._of(event.request_id, event.model)
                run.started = run.started or at
            case TrainingCompleted():
                run = self._of(event.request_id, event.model)
                run.ended, run.recipe, run.rows, run.seconds = at, event.recipe, event.rows, event.seconds
                run.candidates = tuple(Candidate(c.recipe, c.rows, c.metric, c.seconds, c.error) for c in event.candidates[:50])
                run.measurements = event.measurements
            case TrainingFailed():
                run = self._of(event.request_id, event.model)
                run.ended, run.failed = at, f"{event.reason} {event.detail}".strip()[:500]
            case DecisionMade() if event.kind == "promote" and event.request_id is not None:
                run = self._of(event.request_id, event.model)
                run.judged, run.accepted, run.verdict = at, event.accepted, event.reason[:1000]
            case DecisionMade():
                pass

    def run(self, request_id: str) -> Run | None:
        return self._runs.get(request_id)

    def in_hand(self, models: Collection[str]) -> list[Run]:
        """Of each of these models the run that started last, where nobody has told yet what came of it."""
        newest: dict[str, Run] = {}
        for run in self._runs.values():
            before = newest.get(run.model)
            if run.model in models and run.started is not None and (before is None or run.started >= (before.started or 0)):
                newest[run.model] = run
        return [run for _, run in sorted(newest.items()) if run.ended is None]

    def stored(self) -> list[Run]:
        return list(self._runs.values())

    def restore(self, stored: list[Run]) -> None:
        self._runs = {run.request_id: run for run in stored}

    def _of(self, request_id: str, model: str) -> Run:
        run = self._runs.get(request_id)
        if run is None:
            run = self._runs[request_id] = Run(request_id, model)
            if len(self._runs) > KEPT:
                del self._runs[next(iter(self._runs))]
        return run
