"""Control events as a loop of many years would have told them: windows decided, requested, run, judged and measured."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from driftloop.contracts.codec import caused_id
from driftloop.contracts.commands import MoveAlias, RegisterProject, RegisterVersion
from driftloop.contracts.events import DecisionMade, Event, PerformanceReported, RetrainRequested, TrainingCompleted, TrainingStarted
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, REGISTRY_LOG, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import GateMeasurements, Interval, PromotionRules, TrainingPins, Window
from driftloop.monitoring.policy import Evidence

MODEL = "bench-history"
EVENTS_PER_WINDOW = 7
COMMANDS_PER_VERSION = 10  # most of what is asked of a registry moves aliases
_START = datetime(2020, 1, 1, tzinfo=UTC)
_DIGEST = "a" * 64

Told = tuple[str, Event, str, datetime]  # topic, event, its id, its time


def windows(first: int, last: int) -> Iterator[Told]:
    """EVENTS_PER_WINDOW events for each window: every one was decided on, and every second one was trained for."""
    for n in range(first, last):
        window = Window(start=_START + timedelta(hours=n), end=_START + timedelta(hours=n + 1))
        told: Callable[[str, Event, str], Told] = lambda topic, event, event_id, at=window.end: (topic, event, event_id, at)  # noqa: E731
        request_id = caused_id("retrain", MODEL, n)
        yield told(DECISIONS, decision(n, window, request_id), caused_id("decision", n))
        for version in (None, n):
            yield told(PERFORMANCE_REPORTS, report(window, version), caused_id("performance", n, version))
        yield told(RETRAIN_REQUESTS, requested(window), request_id)
        yield told(TRAINING_RUNS, started(n, window, request_id), caused_id("started", n))
        yield told(TRAINING_RUNS, completed(n, window, request_id), caused_id("completed", n))
        yield told(DECISIONS, judged(n, window, request_id), caused_id("judged", n))


def commands(first: int, last: int) -> Iterator[Told]:
    """Commands number ``first`` to ``last`` of a registry's log: a project, versions, and an alias that moves between them."""
    moves = 0
    for n in range(last):
        about = {"command_id": f"c{n}", "at": _START + timedelta(minutes=n), "actor": "bench", "reason": "bench", "model": MODEL}
        versions = (n - 1) // COMMANDS_PER_VERSION + 1
        command: Event
        if n == 0:
            command = RegisterProject(
                **about, project=MODEL, stream=MODEL, archive=_DIGEST, schema_fingerprint=_DIGEST, promotion=PromotionRules()
            )
        elif n % COMMANDS_PER_VERSION == 1:
            window = Window(start=_START, end=_START + timedelta(hours=1))
            command = RegisterVersion(**about, request_id=f"r{n}", manifest=f"{n:064x}", pins=_pins(window, None))
        else:  # to the newest version and back to the one before it
            command = MoveAlias(**about, alias="champion", version=max(1, versions - n % 2), expected_epoch=moves)
            moves += versions > 1 or moves == 0
        if n >= first:
            yield REGISTRY_LOG, command, f"c{n}", _START + timedelta(minutes=n)


def requested(window: Window) -> RetrainRequested:
    return RetrainRequested(model=MODEL, reason="window", detail="the window closed", window=window, requested_by="bench")


def started(n: int, window: Window, request_id: str) -> TrainingStarted:
    return TrainingStarted(model=MODEL, request_id=request_id, answers=(request_id,), pins=_pins(window, n))


def completed(n: int, window: Window, request_id: str) -> TrainingCompleted:
    return TrainingCompleted(
        model=MODEL,
        request_id=request_id,
        answers=(request_id,),
        manifest=_DIGEST,
        pins=_pins(window, n),
        recipe="all",
        candidates=(),
        measurements=_measurements(window, n),
        rows=1000,
        seconds=1.0,
    )


def judged(n: int, window: Window, request_id: str) -> DecisionMade:
    return DecisionMade(
        model=MODEL,
        kind="promote",
        accepted=True,
        reason="it is better",
        window=window,
        rule=_DIGEST,
        evidence={"measurements": msgspec.to_builtins(_measurements(window, n)), "version": n},
        request_id=request_id,
    )


def decision(n: int, window: Window, request_id: str, partitions: int = 4) -> DecisionMade:
    evidence = Evidence(
        window=window,
        version=n,
        rows=1000,
        labelled=900,
        drifted=n % 3 == 0,
        metric="roc_auc",
        measured=Interval(value=0.7, lower=0.6, upper=0.8),
        statistic="psi:amount",
        value=0.1,
        threshold=0.25,
        closing_offsets={str(p): n for p in range(partitions)},
        inferences_version=n,
        labels_version=n,
    )
    return DecisionMade(
        model=MODEL,
        kind="retrain",
        accepted=True,
        reason="the window closed",
        window=window,
        rule=_DIGEST,
        evidence=msgspec.to_builtins(evidence),
        request_id=request_id,
    )


def report(window: Window, version: int | None) -> PerformanceReported:
    return PerformanceReported(
        model=MODEL,
        stream=MODEL,
        version=version,
        window=window,
        revision=0,
        metric="roc_auc",
        measured=Interval(value=0.7, lower=0.6, upper=0.8),
        rows=1000,
        labelled=900,
        coverage=0.9,
        median_label_delay_seconds=60.0,
        inferences_version=1,
        labels_version=1,
    )


def _measurements(window: Window, n: int) -> GateMeasurements:
    return GateMeasurements(
        window=window,
        metric="roc_auc",
        rows=900,
        candidate=0.71,
        champion=0.7,
        gain=0.01,
        gain_lower=0.001,
        confidence=0.8,
        champion_version=n,
    )


def _pins(window: Window, champion: int | None) -> TrainingPins:
    return TrainingPins(
        snapshot=_DIGEST,
        project=_DIGEST,
        environment=_DIGEST,
        code="bench",
        seed=0,
        threads=1,
        evaluation_window=window,
        champion_version=champion,
        champion_epoch=champion or 0,
    )
