"""What is known of a stream's data: commits of the lake, the snapshots that runs pinned, and what was sent again from quarantine."""

from typing import NamedTuple

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import LakeCommitted, MessagesRedriven, TrainingStarted
from driftloop_console.columns import milliseconds

STREAMS = 200  # that are kept: whoever writes to the topics may make up names
COMMITS = 5_000  # of one stream, the newest of both tables
PINS = 2_000  # runs with their snapshots, those that were told of last
REDRIVES = 200  # of one stream

Told = LakeCommitted | TrainingStarted | MessagesRedriven


class Commit(NamedTuple):
    """A version of a table. Times in milliseconds since 1970; ``first`` and ``last``: of its rows' events."""

    at: int
    table: str
    version: int
    rows: int
    first: int | None
    last: int | None


class Pin(NamedTuple):
    """A run that was given a snapshot."""

    at: int
    model: str
    request_id: str
    snapshot: str


class SentAgain(NamedTuple):
    at: int
    run: str
    by: str
    why: str
    change: str
    messages: int


class StoredData(msgspec.Struct, frozen=True):
    commits: dict[str, list[Commit]]
    pins: list[Pin]
    redrives: dict[str, list[SentAgain]]


class DataVersions:
    """The newest of each. Topics come in no order among each other."""

    def __init__(self) -> None:
        self._commits: dict[str, dict[tuple[str, int], Commit]] = {}
        self._pins: dict[str, Pin] = {}
        self._redrives: dict[str, list[SentAgain]] = {}

    def add(self, event: Told, about: Envelope) -> None:
        at = milliseconds(about.time)
        match event:
            case LakeCommitted():
                self._committed(event, at)
            case TrainingStarted():
                self._pins.setdefault(event.request_id, Pin(at, event.model, event.request_id, event.pins.snapshot))
                if len(self._pins) > PINS:
                    del self._pins[next(iter(self._pins))]
            case MessagesRedriven():
                if event.stream in self._redrives or len(self._redrives) < STREAMS:
                    told = self._redrives.setdefault(event.stream, [])
                    told.append(SentAgain(at, event.run, event.by, event.why[:300], event.change[:300], len(event.messages)))
                    del told[:-REDRIVES]

    def commits(self, stream: str) -> list[Commit]:
        """Newest first."""
        return sorted(self._commits.get(stream, {}).values(), reverse=True)

    def pins(self, model: str) -> list[Pin]:
        """Newest first."""
        return sorted((pin for pin in self._pins.values() if pin.model == model), reverse=True)

    def redrives(self, stream: str) -> list[SentAgain]:
        """Newest first."""
        return sorted(self._redrives.get(stream, []), reverse=True)

    def stored(self) -> StoredData:
        return StoredData(
            commits={stream: list(of.values()) for stream, of in self._commits.items()},
            pins=list(self._pins.values()),
            redrives=self._redrives,
        )

    def restore(self, stored: StoredData) -> None:
        self._commits = {stream: {(one.table, one.version): one for one in of} for stream, of in stored.commits.items()}
        self._pins = {pin.request_id: pin for pin in stored.pins}
        self._redrives = stored.redrives

    def _committed(self, event: LakeCommitted, at: int) -> None:
        if event.stream not in self._commits and len(self._commits) >= STREAMS:
            return
        of = self._commits.setdefault(event.stream, {})
        first, last = (None if time is None else milliseconds(time) for time in (event.event_time_min, event.event_time_max))
        of[event.table, event.version] = Commit(at, event.table, event.version, event.rows, first, last)
        if len(of) > COMMITS + COMMITS // 4:  # many at once: sorting costs
            newest = sorted(of.values())[-COMMITS:]
            of.clear()
            of.update(((one.table, one.version), one) for one in newest)
