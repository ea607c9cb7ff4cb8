"""What came of a request to train again: waited for, from request to gate."""

import time
from collections.abc import Callable
from typing import Literal

from driftloop.contracts.events import DecisionMade, TrainingFailed
from driftloop.contracts.topics import DECISIONS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import Part
from driftloop.errors import TransientError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.ports import Topics

LOOK_SECONDS = 2.0


class RetrainingOutcome(Part, frozen=True, kw_only=True):
    """``promoted``: the gate has let the version pass. ``refused``: it has not, a person has to approve first, or a canary begins.
    ``failed``: there is no version. ``run``: the request whose run answers this one, where several were answered by one run."""

    model: str
    request_id: str
    run: str
    outcome: Literal["promoted", "refused", "failed"]
    reason: str


def outcome(history: ModelHistory, model: str, request_id: str) -> RetrainingOutcome | None:
    """As far as the record says; None: the run, or the gate's decision, is still to come."""
    ended = history.ended(request_id)
    if ended is None:
        return None
    run = ended.event.request_id
    if isinstance(ended.event, TrainingFailed):
        return RetrainingOutcome(model=model, request_id=request_id, run=run, outcome="failed", reason=ended.event.reason)
    judged = history.promotion_decision(run)
    return None if judged is None else _judged(judged.event, request_id, run)


def _judged(decision: DecisionMade, request_id: str, run: str) -> RetrainingOutcome:
    said: Literal["promoted", "refused"] = "promoted" if decision.accepted else "refused"
    return RetrainingOutcome(model=decision.model, request_id=request_id, run=run, outcome=said, reason=decision.reason)


def wait_for_outcome(
    topics: Topics,
    model: str,
    request_id: str,
    timeout_seconds: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RetrainingOutcome:
    """Reads on until the gate has decided; a broker that is away meanwhile is waited for. Raises TransientError when that takes longer
    than ``timeout_seconds``: the request stands, and can be waited for again."""
    history, deadline = ModelHistory(model), monotonic() + timeout_seconds
    reader = LogReader(topics, (DECISIONS, RETRAIN_REQUESTS, TRAINING_RUNS), Events(history))
    why = "its run has not ended, or the gate has not decided"
    try:
        while True:
            try:
                reader.sync()
                if (found := outcome(history, model, request_id)) is not None:
                    return found
                why = "no run has answered it yet" if history.ended(request_id) is None else "the gate has not decided yet"
            except TransientError as exc:
                why = str(exc)
            if monotonic() >= deadline:
                raise TransientError(f"nothing came of request {request_id} within {timeout_seconds:g} s: {why}; the request stands")
            sleep(LOOK_SECONDS)
    finally:
        reader.close()
