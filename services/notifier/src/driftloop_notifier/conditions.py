"""What went wrong and whether it still does: one fold of the record into conditions, each with a beginning and an end. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import IncidentReported, TrainingCompleted, TrainingFailed
from driftloop.contracts.notify_rules import NotifyKind
from driftloop.contracts.values import Part

MOST = 2000  # of a kind; those that ended go first, the oldest before the others
MOST_RISES = 20


class Rise(Part, frozen=True):
    """When a severity was higher than ever before; ``before``: what it was until then, below 0 at the beginning."""

    at: datetime
    severity: float
    before: float


class Condition(Part, frozen=True, kw_only=True):
    """``key``: of this occurrence, the same for whoever folds the record. ``about``: whom it happened to. ``model`` and ``project`` None:
    all of them. ``rises``: of what has a severity; the first is its beginning. ``withdrawn``: it turned out not to have happened."""

    kind: NotifyKind
    key: str
    about: str
    model: str | None
    project: str | None = None
    since: datetime
    until: datetime | None = None
    rises: tuple[Rise, ...] = ()
    withdrawn: bool = False
    evidence: Mapping[str, Any] = MappingProxyType({})


class Recorded:
    """The conditions that control topics tell of: incidents, and models whose runs fail."""

    def __init__(self) -> None:
        self._incidents: dict[str, Condition] = {}
        self._runs: dict[str, Condition] = {}
        self._failing: dict[str, str] = {}  # by model, the key of what has not ended

    def __iter__(self) -> Iterator[Condition]:
        yield from self._incidents.values()
        yield from self._runs.values()

    def on_incident(self, event: IncidentReported, about: Envelope) -> None:
        key = f"{event.model}/{event.incident}"
        known = self._incidents.get(key)
        if known is None and event.windows == 0:
            return  # taken back before anybody heard of it
        rises = known.rises if known is not None else ()
        before = rises[-1].severity if rises else -1.0
        if event.severity > before:
            rises = (*rises[: MOST_RISES - 1], Rise(about.time, event.severity, before))
        self._incidents[key] = Condition(
            kind="incident",
            key=key,
            about=event.model,
            model=event.model,
            since=known.since if known is not None else about.time,
            until=about.time if event.state == "closed" else None,
            rises=rises,
            withdrawn=event.windows == 0,
            evidence=_evidence(event),
        )
        _forget(self._incidents)

    def on_run_failed(self, event: TrainingFailed, about: Envelope) -> None:
        key = self._failing.setdefault(event.model, event.request_id)
        if len(self._failing) > MOST:  # names that somebody makes up
            del self._failing[next(iter(self._failing))]
        known = self._runs.get(key)
        failures = 1 if known is None else known.evidence["failures"] + 1
        evidence = {"request_id": event.request_id, "reason": event.reason, "failures": failures}
        self._runs[key] = Condition(
            kind="run-failed",
            key=key,
            about=event.model,
            model=event.model,
            since=known.since if known is not None else about.time,
            evidence={**known.evidence, "failures": failures} if known is not None else evidence,
        )
        _forget(self._runs)

    def on_run_completed(self, event: TrainingCompleted, about: Envelope) -> None:
        key = self._failing.pop(event.model, None)
        if key is not None and key in self._runs:
            self._runs[key] = msgspec.structs.replace(self._runs[key], until=about.time)


def _evidence(event: IncidentReported) -> dict[str, Any]:
    furthest = sorted(event.columns.items(), key=lambda pair: (-pair[1], pair[0]))[:5]
    return {
        "stream": event.stream,
        "incident": event.incident,
        "start": event.start.isoformat(),
        "end": event.end.isoformat(),
        "windows": event.windows,
        "columns": dict(furthest),
        "more_columns": len(event.columns) - len(furthest),
        "severity": event.severity,
        "version": event.version,
    }


def _forget(conditions: dict[str, Condition]) -> None:
    while len(conditions) > MOST:
        del conditions[next((key for key, one in conditions.items() if one.until is not None), next(iter(conditions)))]
