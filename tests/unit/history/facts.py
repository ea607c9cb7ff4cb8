"""Events of one model's loop, put together by hand, with the envelopes that they would have."""

from datetime import UTC, datetime, timedelta

import msgspec

from driftloop.contracts.codec import Envelope, envelope
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
from driftloop.contracts.values import Interval, TrainingPins, Window
from driftloop.history.model_history import ModelHistory
from driftloop.monitoring.policy import Evidence

MODEL = "m"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIGEST = "a" * 64


def window(n: int) -> Window:
    return Window(start=START + n * HOUR, end=START + (n + 1) * HOUR)


def about(event: Event, id: str, seconds: float = 0) -> Envelope:
    return envelope(event, id=id, source="test", subject=MODEL, time=START + timedelta(seconds=seconds))


def tell(history: ModelHistory, *told: tuple[str, Event]) -> ModelHistory:
    """Add events under their ids, each a second after the one before it."""
    for seconds, (event_id, event) in enumerate(told):
        history.add(event, about(event, event_id, seconds))
    return history


def pins(snapshot: str = "a") -> TrainingPins:
    return TrainingPins(
        snapshot=snapshot * 64,
        project="b" * 64,
        environment="c" * 64,
        code="test",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )


def requested(model: str = MODEL) -> RetrainRequested:
    return RetrainRequested(model=model, reason="manual", detail="", requested_by="test")


def started(request_id: str, *answers: str, snapshot: str = "a", model: str = MODEL) -> TrainingStarted:
    return TrainingStarted(model=model, request_id=request_id, answers=(request_id, *answers), pins=pins(snapshot))


def completed(request_id: str, *answers: str, model: str = MODEL) -> TrainingCompleted:
    return TrainingCompleted(
        model=model, request_id=request_id, answers=(request_id, *answers), manifest=DIGEST, pins=pins(), recipe="all",
        candidates=(), measurements=None, rows=1, seconds=1.0,
    )  # fmt: skip


def failed(request_id: str, *answers: str) -> TrainingFailed:
    return TrainingFailed(model=MODEL, request_id=request_id, answers=(request_id, *answers), reason="no")


def decided(
    n: int,
    *,
    accepted: bool = False,
    drifted: bool = False,
    labelled: int = 10,
    measured: float | None = None,
    version: int = 1,
    metric: str = "roc_auc",
) -> DecisionMade:
    """To retrain or not after window ``n``."""
    value = None if measured is None else Interval(value=measured, lower=measured, upper=measured)
    evidence = Evidence(
        window=window(n), version=version, rows=20, labelled=labelled, drifted=drifted, metric=metric, measured=value
    )  # fmt: skip
    return DecisionMade(
        model=MODEL, kind="retrain", accepted=accepted, reason="r", window=window(n), rule=DIGEST,
        evidence=msgspec.json.decode(msgspec.json.encode(evidence)), request_id=f"r{n}" if accepted else None,
    )  # fmt: skip


def judged(request_id: str, *, accepted: bool = True) -> DecisionMade:
    """To promote or not what came of a run."""
    return DecisionMade(
        model=MODEL, kind="promote", accepted=accepted, reason="gain", window=None, rule=DIGEST, evidence={}, request_id=request_id
    )


def performance(n: int, *, version: int | None = None, revision: int = 0, labelled: int = 1) -> PerformanceReported:
    return PerformanceReported(
        model=MODEL, stream="s", version=version, window=window(n), revision=revision, metric="roc_auc", measured=None, rows=2,
        labelled=labelled, coverage=0.5, median_label_delay_seconds=None, inferences_version=1, labels_version=1,
    )  # fmt: skip


def drift(n: int, *, version: int | None = 1, revision: int = 0, rows: int = 1) -> DriftReported:
    return DriftReported(
        model=MODEL, stream="s", version=version, profile=None, window=window(n), revision=revision, rows=rows, late_rows=0,
        closing_offsets={}, features={}, score=None, drifted=False, thresholds={"psi": 0.25},
    )  # fmt: skip


def incident(name: str, state: str = "opened", windows: int = 1, *, n: int = 0) -> IncidentReported:
    return IncidentReported(
        model=MODEL, stream="s", incident=name, state=state, start=window(n).start, end=window(n).end, windows=windows,
        columns={"amount": 0.4}, severity=0.4, version=1, window=window(n),
    )  # fmt: skip


def reproduced(version: int, audit: str = "nightly") -> VersionReproduced:
    return VersionReproduced(
        model=MODEL, version=version, manifest=DIGEST, audit=audit, level="bytes", files={}, differences=(), environment=None,
        code="1", seconds=1.0,
    )  # fmt: skip
