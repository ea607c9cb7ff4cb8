"""Control events of a loop as the console reads them: each window compared, measured and decided on, versions one after another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from driftloop.contracts.codec import Envelope, caused_id, envelope
from driftloop.contracts.events import DecisionMade, DriftReported, Event, IncidentReported, LakeCommitted, PerformanceReported
from driftloop.contracts.values import FeatureDrift, Interval, MovedColumn, SegmentPerformance, Window, WindowAnswer
from driftloop.monitoring.evidence import Evidence

START = datetime(2025, 1, 1, tzinfo=UTC)
EVERY = timedelta(hours=1)
DIGEST = "a" * 64
THRESHOLD = 0.1
DRIFT_FROM, DRIFT_FOR = 50, 5  # of each hundred windows


def window(n: int) -> Window:
    return Window(start=START + n * EVERY, end=START + (n + 1) * EVERY)


def drifts(n: int) -> bool:
    return DRIFT_FROM <= n % 100 < DRIFT_FROM + DRIFT_FOR


def loop(windows: int, features: int, versions: int, *, model: str = "shop") -> Iterator[tuple[Event, Envelope]]:
    """Of each window a drift report, two performance reports and a decision; of each drift an incident. Every ``windows // versions``
    windows the next version scores."""
    rng = np.random.default_rng(1)
    for n in range(windows):
        version = 1 + n * versions // windows
        told: list[tuple[str, Event]] = [("drift", drift(n, version, features, rng, model))]
        told += [(f"performance-{of}", performance(n, of, rng, model)) for of in (None, version)]
        told.append(("decision", decision(n, model)))
        if drifts(n):
            told.append(("incident", incident(n, version, model)))
        for kind, event in told:
            yield event, about(event, f"{model}-{kind}-{n}", n)


def commit(n: int, stream: str = "shop") -> tuple[Event, Envelope]:
    """A version of the lake's table of inferences."""
    of = window(n)
    event = LakeCommitted(
        stream=stream, table="inferences", version=n, rows=1000, ranges=(), event_time_min=of.start, event_time_max=of.end
    )
    return event, about(event, f"{stream}-commit-{n}", n)


def about(event: Event, id: str, n: int) -> Envelope:
    return envelope(event, id=caused_id(id), source="bench", subject="shop", time=window(n).end)


def drift(n: int, version: int | None, features: int, rng: np.random.Generator, model: str = "shop", revision: int = 0) -> DriftReported:
    """Column 0 drifts where the window does."""
    distances = rng.uniform(0.0, 0.9 * THRESHOLD, features)
    distances[0] = 0.25 if drifts(n) else distances[0]
    columns = {f"f{i}": column(float(distance)) for i, distance in enumerate(distances)}
    return DriftReported(
        model=model,
        stream=model,
        version=version,
        profile=DIGEST,
        window=window(n),
        revision=revision,
        rows=1000,
        late_rows=0,
        closing_offsets={"0": n},
        features=columns,
        score=column(0.01),
        drifted=drifts(n),
        thresholds={},
        verdict="drifted" if drifts(n) else "calm",
        distance=float(distances.max()),
        column=f"f{int(distances.argmax())}",
        threshold=THRESHOLD,
        alpha=0.01,
    )


def column(distance: float) -> FeatureDrift:
    shares = {"missing_share": 0.02, "unseen_share": 0.0, "out_of_range_share": 0.01}
    return FeatureDrift(psi=distance, ks=distance, drifted=distance > THRESHOLD, statistics={}, distance=distance, **shares)


def performance(n: int, version: int | None, rng: np.random.Generator, model: str = "shop", revision: int = 0) -> PerformanceReported:
    value = 0.7 + float(rng.normal(0, 0.01))
    more: dict[str, Any] = {}
    if version is not None:
        moved = MovedColumn(column="f0", distance=0.25, drifted=True, importance=0.05)
        answer = "harmful-drift" if drifts(n) else "calm"
        more = {"answer": WindowAnswer(answer=answer, reason="as it is", harm_known=True, columns=(moved,))}
    else:
        more = {"segments": tuple(segment(name, value + apart) for name, apart in (("north", 0.02), ("south", -0.04), (None, -0.01)))}
    return PerformanceReported(
        model=model,
        stream=model,
        version=version,
        window=window(n),
        revision=revision,
        metric="roc_auc",
        measured=Interval(value=value, lower=value - 0.02, upper=value + 0.02),
        rows=1000,
        labelled=950,
        coverage=0.95,
        median_label_delay_seconds=3600.0,
        inferences_version=n,
        labels_version=n,
        **more,
    )


def segment(name: str | None, value: float) -> SegmentPerformance:
    return SegmentPerformance(
        feature="region",
        value=name,
        rows=300,
        labelled=285,
        coverage=0.95,
        measured=Interval(value=value, lower=value - 0.04, upper=value + 0.04),
        median_label_delay_seconds=3600.0,
    )


def decision(n: int, model: str = "shop", *, reason: str | None = None) -> DecisionMade:
    evidence = Evidence(
        window=window(n),
        version=1,
        rows=1000,
        labelled=950,
        drifted=drifts(n),
        metric="roc_auc",
        statistic="distance:f0",
        value=0.25 if drifts(n) else 0.05,
        threshold=THRESHOLD,
        closing_offsets={str(p): n for p in range(500)},
    )
    return DecisionMade(
        model=model,
        kind="retrain",
        accepted=drifts(n),
        reason=reason or ("the window has drifted" if drifts(n) else "nothing has changed"),
        window=window(n),
        rule=DIGEST,
        evidence=msgspec.to_builtins(evidence),
    )


def incident(n: int, version: int, model: str = "shop") -> IncidentReported:
    first = n - n % 100 + DRIFT_FROM
    return IncidentReported(
        model=model,
        stream=model,
        incident=f"{model}-{first}",
        state="closed" if n == first + DRIFT_FOR - 1 else "changed",
        start=window(first).start,
        end=window(n).end,
        windows=n - first + 1,
        columns={"f0": 0.25},
        severity=0.25,
        version=version,
        window=window(n),
    )
