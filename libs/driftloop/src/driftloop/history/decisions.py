"""What was decided: to retrain or not after each window, to promote or not after each run. Pure."""

from collections import deque
from datetime import datetime

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import DecisionMade, RetrainReason
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window
from driftloop.errors import InvalidMessage
from driftloop.history.told import LET_GO, Pair, Told, first
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.late_labels import CountedLabels, counted_labels, late_of
from driftloop.monitoring.policy import PolicyState, carried


class _Recorded(Evidence, frozen=True, kw_only=True):
    """Evidence as the decider writes it."""

    trigger: RetrainReason | None = None


class StoredDecisions(msgspec.Struct, frozen=True, kw_only=True):
    by_window: list[Pair[DecisionMade]]
    others: list[Pair[DecisionMade]]
    carried: dict[str, PolicyState]
    counted: dict[str, list[tuple[Window, int]]]


class Decisions:
    """The first one on a window stands, whoever wrote a second; of the others the first one of an id.

    ``kept``: how many of each model's retrain decisions to keep, the newest windows'; and as many of the others. At least
    so many are there, and at most half as many again. What a policy may need of older ones is carried in ``carried``; a
    decision on a window that is carried changes nothing any more. None: all are kept.

    ``whole``: how many of each model's retrain decisions, those that came last, keep all of their evidence; the others let go of
    what grows with partitions, or with the windows that labels land in, and is known without it (``LET_GO``). None: all do.
    """

    def __init__(self, kept: int | None = None, whole: int | None = None) -> None:
        self._kept, self._whole = kept, whole
        self._whole_windows: dict[str, deque[Window]] = {}  # by model, in the order in which they came
        self._by_window: dict[str, dict[Window, Told[DecisionMade]]] = {}  # by model
        self._others: dict[str, dict[str, Told[DecisionMade]]] = {}  # model → event id → decision
        self._carried: dict[str, PolicyState] = {}
        self._counted: dict[str, dict[Window, int]] = {}  # model → window → its labels, as decisions that let go of them counted last

    def add(self, event: DecisionMade, about: Envelope) -> None:
        """Raises InvalidMessage for a retrain decision on a window without its evidence: no decider wrote it, and no policy can go
        on from it."""
        if event.kind != "retrain" or event.window is None:
            others = self._others.setdefault(event.model, {})
            others.setdefault(about.id, Told(event, about))
            if self._kept is not None and len(others) > self._kept:
                del others[next(iter(others))]
            return
        _check_evidence(event)
        up_to = self.carried(event.model).decided_up_to
        if up_to is None or event.window.end > up_to:
            self._keep(event.window, Told(event, about))
            self._carry(event.model)

    def retrain(self) -> list[DecisionMade]:
        """Retrain decisions that are kept, in window order."""
        told = (t.event for decisions in self._by_window.values() for t in decisions.values())
        return sorted(told, key=_start)

    def last_retrain(self) -> Told[DecisionMade] | None:
        """The one on the last window."""
        told = (t for decisions in self._by_window.values() for t in decisions.values())
        return max(told, key=lambda t: _start(t.event), default=None)

    def carried(self, model: str) -> PolicyState:
        """The policy's state after the retrain decisions that are not kept; of ``restore`` the one to go on from."""
        return self._carried.get(model, PolicyState())

    def counted_labels(self, model: str) -> dict[Window, CountedLabels]:
        """Labels of the windows whose retrain decisions are kept, as decisions have counted them."""
        decisions = sorted((t.event for t in self._by_window.get(model, {}).values()), key=_start)
        return counted_labels(decisions, self._counted.get(model, {}))

    def on_window(self, window: Window) -> Told[DecisionMade] | None:
        """To retrain or not after this window."""
        return first((t for decisions in self._by_window.values() for t in decisions.values()), lambda e: e.window == window)

    def on_run(self, request_id: str) -> Told[DecisionMade] | None:
        """To promote or not what came of this request's run."""
        told = (t for decisions in self._others.values() for t in decisions.values())
        return first(told, lambda e: e.kind == "promote" and e.request_id == request_id)

    def all(self) -> list[Told[DecisionMade]]:
        """Those that are kept, in order of time."""
        told = (t for models in (self._by_window, self._others) for decisions in models.values() for t in decisions.values())
        return sorted(told, key=lambda t: (t.about.time, t.about.id))

    def stored(self) -> StoredDecisions:
        by_window, others = ([t.pair() for d in models.values() for t in d.values()] for models in (self._by_window, self._others))
        counted = {model: list(windows.items()) for model, windows in self._counted.items()}
        return StoredDecisions(by_window=by_window, others=others, carried=dict(self._carried), counted=counted)

    def restore(self, stored: StoredDecisions) -> None:
        self._carried = dict(stored.carried)
        self._counted = {model: dict(windows) for model, windows in stored.counted.items()}
        for event, about in stored.by_window:
            if event.window is not None:
                self._keep(event.window, Told(event, about))
        for event, about in stored.others:
            self._others.setdefault(event.model, {})[about.id] = Told(event, about)

    def _keep(self, window: Window, told: Told[DecisionMade]) -> None:
        kept = self._by_window.setdefault(told.event.model, {})
        if kept.setdefault(window, told) is not told or self._whole is None:
            return
        whole = self._whole_windows.setdefault(told.event.model, deque())
        whole.append(window)
        if len(whole) > self._whole and (older := kept.get(whole.popleft())) is not None:
            assert older.event.window is not None
            counted = self._counted.setdefault(told.event.model, {})
            counted.update({late.window: late.labelled for late in late_of(older.event) if late.window in kept})
            evidence = {name: value for name, value in older.event.evidence.items() if name not in LET_GO}
            kept[older.event.window] = Told(msgspec.structs.replace(older.event, evidence=evidence), older.about)

    def _carry(self, model: str) -> None:
        decisions = self._by_window[model]
        if self._kept is None or len(decisions) <= self._kept + self._kept // 2:
            return
        oldest = sorted(decisions.items(), key=lambda item: _start(item[1].event))[: len(decisions) - self._kept]
        self._carried[model] = carried(self.carried(model), [told.event for _, told in oldest])
        for window, _ in oldest:
            del decisions[window]
            self._counted.get(model, {}).pop(window, None)


def _check_evidence(decision: DecisionMade) -> None:
    try:
        recorded = msgspec.convert(decision.evidence, prepared(_Recorded))
    except msgspec.ValidationError as exc:
        raise InvalidMessage(f"a retrain decision without its evidence: {exc}") from exc
    if recorded.window != decision.window:
        raise InvalidMessage("a retrain decision whose evidence is of another window")


def _start(decision: DecisionMade) -> tuple[datetime, datetime]:
    assert decision.window is not None  # others are not kept by window
    return decision.window.start, decision.window.end
