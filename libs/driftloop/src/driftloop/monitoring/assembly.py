"""Putting partitions' sketches together: which windows are complete, and what was said about them. Pure.

Partitions close their windows in order, so a partition that has sent a later window has closed the earlier ones too.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from driftloop.contracts.events import DriftReported, WindowSketched
from driftloop.contracts.values import Time, Window
from driftloop.monitoring.drift import worst

SKETCHED_WINDOWS = 8  # reported windows whose sketches are kept for corrections; more than a partition keeps
REMEMBERED_WINDOWS = 1000  # reported windows that may still wait for their decision
CURSOR_KEY = b"cursor"


class WindowSummary(msgspec.Struct, frozen=True):
    """What was reported about a window, as the policy needs it. ``version``: the newest one that scored rows."""

    version: int | None
    rows: int
    drifted: bool
    column: str | None
    psi: float | None
    threshold: float
    closing_offsets: dict[str, int]


class AssembledWindow(msgspec.Struct):
    """One window of the stream. ``revision`` of the last report; −1: none yet."""

    window: Window
    sketches: dict[int, WindowSketched] = {}
    revision: int = -1
    summary: WindowSummary | None = None


class AssemblyCursor(msgspec.Struct):
    """Next offset of ``window-sketches``, how far each partition has closed, and up to where windows were forgotten."""

    next_offset: int = 0
    closed: dict[int, Time] = {}
    forgotten_up_to: Time | None = None


class Standing(NamedTuple):
    """What the windows knew of one partition before a sketch."""

    sketch: WindowSketched | None
    closed: datetime | None
    window_is_new: bool


class WindowAssembler:
    """The windows of one stream, rebuilt from table values and changed sketch by sketch."""

    def __init__(self, stream: str, values: Mapping[bytes, bytes]) -> None:
        self._stream = stream
        self.cursor = AssemblyCursor()
        self.windows: dict[datetime, AssembledWindow] = {}
        self._changed: set[datetime] = set()
        for key, value in values.items():
            if key == CURSOR_KEY:
                self.cursor = msgspec.msgpack.decode(value, type=AssemblyCursor)
            else:
                held = msgspec.msgpack.decode(value, type=AssembledWindow)
                self.windows[held.window.start] = held

    def take(self, sketch: WindowSketched) -> bool:
        """Put a sketch in its place; False if it changes nothing. The highest closing offset wins."""
        if sketch.stream != self._stream:
            return False
        forgotten = self.cursor.forgotten_up_to
        if forgotten is not None and sketch.window.end <= forgotten:
            return False
        held = self.windows.setdefault(sketch.window.start, AssembledWindow(sketch.window))
        if held.revision >= 0 and not held.sketches:
            return False
        before = held.sketches.get(sketch.partition)
        if before is not None and before.closing_offset >= sketch.closing_offset:
            return False
        held.sketches[sketch.partition] = sketch
        closed = self.cursor.closed.get(sketch.partition)
        self.cursor.closed[sketch.partition] = max(sketch.window.end, closed or sketch.window.end)
        self._changed.add(sketch.window.start)
        return True

    def standing(self, sketch: WindowSketched) -> Standing:
        """What ``take`` would replace."""
        held = self.windows.get(sketch.window.start)
        before = None if held is None else held.sketches.get(sketch.partition)
        return Standing(before, self.cursor.closed.get(sketch.partition), held is None)

    def take_back(self, sketch: WindowSketched, standing: Standing) -> None:
        """As if ``sketch`` had never come: ``standing`` is from before it was taken."""
        start = sketch.window.start
        if standing.sketch is not None:
            self.windows[start].sketches[sketch.partition] = standing.sketch
        elif start in self.windows:
            self.windows[start].sketches.pop(sketch.partition, None)
            if standing.window_is_new:
                del self.windows[start]
        if standing.closed is None:
            self.cursor.closed.pop(sketch.partition, None)
        else:
            self.cursor.closed[sketch.partition] = standing.closed

    def to_report(self, sketch: WindowSketched) -> Iterator[AssembledWindow]:
        """After ``take``: the windows that are now complete for the first time, in order, and the corrected one."""
        if len(self.cursor.closed) < sketch.partitions:
            return
        closed = min(self.cursor.closed.values())
        for start in sorted(self.windows):
            held = self.windows[start]
            if held.window.end <= closed and (held.revision < 0 or start == sketch.window.start):
                yield held

    def reported(self, held: AssembledWindow, reports: list[DriftReported]) -> None:
        """Note what was said about a window; forget what is too old to matter."""
        newest = max(reports, key=lambda r: (r.version is not None, r.version or 0))
        moved = worst(newest)
        held.summary = WindowSummary(
            version=newest.version,
            rows=sum(sketch.rows for sketch in held.sketches.values()),
            drifted=any(report.drifted for report in reports),
            column=moved[0] if moved else None,
            psi=moved[1] if moved else None,
            threshold=newest.thresholds["psi"],
            closing_offsets=newest.closing_offsets,
        )
        held.revision = reports[0].revision
        self._changed.add(held.window.start)
        self._forget()

    def changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """Table values to write, the cursor last; None deletes."""
        self.cursor.next_offset = next_offset
        values: dict[bytes, bytes | None] = {}
        for start in sorted(self._changed):
            held = self.windows.get(start)
            values[start.isoformat().encode()] = None if held is None else msgspec.msgpack.encode(held)
        values[CURSOR_KEY] = msgspec.msgpack.encode(self.cursor)
        self._changed = set()
        return values

    def complete(self) -> list[AssembledWindow]:
        """Reported windows in order."""
        return [self.windows[start] for start in sorted(self.windows) if self.windows[start].summary is not None]

    def _forget(self) -> None:
        done = [held.window.start for held in self.complete()]
        for start in done[:-SKETCHED_WINDOWS]:
            if self.windows[start].sketches:
                self.windows[start].sketches = {}
                self._changed.add(start)
        for start in done[:-REMEMBERED_WINDOWS]:
            self.cursor.forgotten_up_to = self.windows.pop(start).window.end
            self._changed.add(start)


def stored_offset(values: Mapping[bytes, bytes]) -> int | None:
    """The next offset of ``window-sketches`` in a partition's table values; None when nothing was stored."""
    value = values.get(CURSOR_KEY)
    return None if value is None else msgspec.msgpack.decode(value, type=AssemblyCursor).next_offset
