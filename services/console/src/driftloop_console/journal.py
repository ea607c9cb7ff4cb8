"""What happened, newest first: incidents and decisions as sentences with their evidence, the newest so many."""

from typing import Any, Literal, NamedTuple

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import (
    ChallengerMeasured,
    DecisionMade,
    IncidentReported,
    RetrainRequested,
    TrainingFailed,
    VersionReproduced,
)
from driftloop.contracts.values import Window
from driftloop.history.told import LET_GO
from driftloop_console.columns import milliseconds
from driftloop_console.sentences import Journalled, told_in_words

Kind = Literal["incident", "retrain", "promote", "recalibrate", "request", "run", "audit", "registry", "challenger"]
Tone = Literal["bad", "good", "plain", "quiet"]  # quiet: a "no" to training again, which most windows end with
KEPT = 4_000  # entries that are not quiet, and as many that are
MAX_EVIDENCE_BYTES = 6_000


class Entry(NamedTuple):
    """``time``: of the event, in milliseconds since 1970; ``start`` and ``end``: of the window that it is about."""

    time: int
    id: str
    model: str
    kind: Kind
    tone: Tone
    sentence: str
    start: int | None
    end: int | None
    request_id: str | None
    evidence: bytes  # JSON


class Journal:
    """Entries by id; an incident has one, as it was told last. The oldest go when there are too many."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._loud: dict[str, Entry] = {}
        self._quiet: dict[str, Entry] = {}

    def add(self, event: Journalled, about: Envelope) -> None:
        if isinstance(event, IncidentReported) and event.windows == 0:  # late rows have taken it back
            self._loud.pop(_id(event, about), None)
            return
        entry = entry_of(event, about)
        entries = self._quiet if entry.tone == "quiet" else self._loud
        entries[entry.id] = entry
        if len(entries) > self._kept + self._kept // 4:  # many at once: sorting costs
            newest = sorted(entries.values())[-self._kept :]
            entries.clear()
            entries.update((entry.id, entry) for entry in newest)

    def newest(self, *, quiet: bool) -> list[Entry]:
        """Newest first; those of equal time in the order of their ids, so that two readers show the same."""
        found = [*self._loud.values(), *(self._quiet.values() if quiet else ())]
        return sorted(found, reverse=True)

    def entry(self, id: str) -> Entry | None:
        return self._loud.get(id) or self._quiet.get(id)

    def __len__(self) -> int:
        return len(self._loud) + len(self._quiet)

    def stored(self) -> list[Entry]:
        return [*self._loud.values(), *self._quiet.values()]

    def restore(self, stored: list[Entry]) -> None:
        self._loud = {entry.id: entry for entry in stored if entry.tone != "quiet"}
        self._quiet = {entry.id: entry for entry in stored if entry.tone == "quiet"}


def entry_of(event: Journalled, about: Envelope) -> Entry:
    window = _window(event)
    return Entry(
        time=milliseconds(about.time),
        id=_id(event, about),
        model=event.model,
        kind=_kind(event),
        tone=_tone(event),
        sentence=told_in_words(event),
        start=None if window is None else milliseconds(window.start),
        end=None if window is None else milliseconds(window.end),
        request_id=about.id if isinstance(event, RetrainRequested) else getattr(event, "request_id", None),
        evidence=_evidence(event),
    )


def _id(event: Journalled, about: Envelope) -> str:
    return f"{event.model}/{event.incident}" if isinstance(event, IncidentReported) else about.id


def _window(event: Journalled) -> Window | None:
    if isinstance(event, IncidentReported):
        return Window(start=event.start, end=event.end)
    if isinstance(event, ChallengerMeasured):
        return event.measurements.window
    return event.window if isinstance(event, DecisionMade | RetrainRequested) else None


def _kind(event: Journalled) -> Kind:
    match event:
        case IncidentReported():
            return "incident"
        case DecisionMade():
            return event.kind
        case RetrainRequested():
            return "request"
        case ChallengerMeasured():
            return "challenger"
        case VersionReproduced():
            return "audit"
        case _:
            return "run"


def _tone(event: Journalled) -> Tone:
    match event:
        case IncidentReported():
            return "plain" if event.state == "closed" else "bad"
        case TrainingFailed():
            return "bad"
        case DecisionMade(kind="retrain", accepted=False):
            return "quiet"
        case DecisionMade():
            return "good" if event.accepted else "plain"
        case VersionReproduced():
            return "bad" if event.level == "none" else "good"
        case RetrainRequested():
            return "plain" if event.reason == "manual" else "quiet"  # the decision before it has said so
        case _:
            return "quiet"


def _evidence(event: Journalled) -> bytes:
    """Without what grows with partitions and windows; of evidence that is large, what it has of single values."""
    found: dict[str, Any] = msgspec.to_builtins(event)
    evidence = found.pop("evidence", None)
    if isinstance(evidence, dict):
        found |= {name: value for name, value in evidence.items() if name not in LET_GO and name not in found}
    for name in ("model", "stream", "reason", "pins", "answers"):
        found.pop(name, None)
    encoded = msgspec.json.encode(found)
    if len(encoded) > MAX_EVIDENCE_BYTES:
        single = {name: value for name, value in found.items() if not isinstance(value, dict | list | str) or len(str(value)) < 200}
        encoded = msgspec.json.encode(single | {"left_out": sorted(set(found) - set(single))[:50]})
    return encoded if len(encoded) <= 2 * MAX_EVIDENCE_BYTES else b'{"left_out":"all of it: it is too large"}'
