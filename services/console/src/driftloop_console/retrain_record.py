"""The retrain decisions of each model as far as a policy needs them, a few hundred bytes each: what "what if" asks the policy about."""

from datetime import datetime

import msgspec

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Interval, LossAlarm, Window, WindowAnswer
from driftloop.monitoring.evidence import Evidence
from driftloop_console.columns import whole

KEPT = 10_000  # of a model, those of its newest windows
MOST = 40_000  # of all models together
MAX_REASON = 200
_DRY_RUN = "dry_run"

Key = tuple[datetime, datetime]


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    start: datetime
    end: datetime
    accepted: bool
    dry_run: bool
    reason: str
    request_id: str | None
    version: int | None
    rows: int
    labelled: int
    landed: int
    drifted: bool
    metric: str
    measured: tuple[float, float, float] | None
    value: float | None
    threshold: float | None
    runs_in_flight: tuple[str, ...]
    decided_at: datetime | None
    alarm: LossAlarm | None


class RetrainRecord:
    """The first decision on each window stands, as for the policy itself. Those of the oldest windows go when there are too many."""

    def __init__(self, kept: int = KEPT, most: int = MOST) -> None:
        self._kept, self._most = kept, most
        self._models: dict[str, dict[Key, bytes]] = {}
        self._count = 0

    def add(self, event: DecisionMade) -> None:
        """One that is on no window, or without its evidence, is none that a policy could go on from."""
        if event.kind != "retrain" or event.window is None:
            return
        try:
            evidence = msgspec.convert(event.evidence, prepared(Evidence))
        except msgspec.ValidationError:
            return
        of = self._models.setdefault(event.model, {})
        key = event.window.start, event.window.end
        if key in of:
            return
        of[key] = msgspec.msgpack.encode(_kept(event, event.window, evidence))
        self._count += 1
        if len(of) > self._kept + self._kept // 10:
            self._forget(event.model, len(of) - self._kept)
        elif self._count > self._most:
            largest = max(self._models, key=lambda name: len(self._models[name]))
            self._forget(largest, max(1, len(self._models[largest]) // 10))

    def encoded(self, model: str) -> list[bytes]:
        """Of one model, for ``decisions`` to read when nobody waits for the record any more."""
        return list(self._models.get(model, {}).values())

    def __len__(self) -> int:
        return self._count

    def stored(self) -> dict[str, list[bytes]]:
        return {name: list(of.values()) for name, of in self._models.items()}

    def restore(self, stored: dict[str, list[bytes]]) -> None:
        self._models = {}
        for name, encoded in stored.items():
            kept = ((msgspec.msgpack.decode(each, type=prepared(_Kept)), each) for each in encoded)
            self._models[name] = {(one.start, one.end): each for one, each in kept}
        self._count = sum(map(len, self._models.values()))

    def _forget(self, model: str, count: int) -> None:
        of = self._models[model]
        for key in sorted(of)[:count]:
            del of[key]
        self._count -= count


def decisions(model: str, encoded: list[bytes]) -> list[DecisionMade]:
    """As ``monitoring.replay`` takes them: with evidence that has all that a policy looks at, and nothing else."""
    return [_decision(model, msgspec.msgpack.decode(each, type=prepared(_Kept))) for each in encoded]


def _kept(event: DecisionMade, window: Window, evidence: Evidence) -> _Kept:
    measured = evidence.measured
    return _Kept(
        start=window.start,
        end=window.end,
        accepted=event.accepted,
        dry_run=event.evidence.get(_DRY_RUN) is True,
        reason=event.reason[:MAX_REASON],
        request_id=event.request_id,
        version=None if evidence.version is None else whole(evidence.version),
        rows=evidence.rows,
        labelled=evidence.labelled,
        landed=evidence.labels_landed_since,
        drifted=evidence.drifted,
        metric=evidence.metric,
        measured=None if measured is None else (measured.value, measured.lower, measured.upper),
        value=evidence.value,
        threshold=evidence.threshold,
        runs_in_flight=evidence.runs_in_flight[:20],
        decided_at=evidence.decided_at,
        alarm=None if evidence.answer is None else evidence.answer.alarm,
    )


def _decision(model: str, kept: _Kept) -> DecisionMade:
    window, measured = Window(start=kept.start, end=kept.end), kept.measured
    alarm = kept.alarm
    evidence = Evidence(
        window=window,
        version=kept.version,
        rows=kept.rows,
        labelled=kept.labelled,
        drifted=kept.drifted,
        metric=kept.metric,
        measured=None if measured is None else Interval(value=measured[0], lower=measured[1], upper=measured[2]),
        value=kept.value,
        threshold=kept.threshold,
        runs_in_flight=kept.runs_in_flight,
        labels_landed_since=kept.landed,
        decided_at=kept.decided_at,
        answer=None if alarm is None else WindowAnswer(answer="calm", reason="", harm_known=True, alarm=alarm),  # the policy asks the alarm
    )
    return DecisionMade(
        model=model,
        kind="retrain",
        accepted=kept.accepted,
        reason=kept.reason,
        window=window,
        rule="0" * 64,  # of the record's policy; a replay has its own
        evidence=msgspec.to_builtins(evidence) | {_DRY_RUN: kept.dry_run},
        request_id=kept.request_id,
    )


prepared(_Kept)
