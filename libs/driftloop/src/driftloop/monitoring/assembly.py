"""Putting partitions' counts together: which windows are complete, and what was said about them. Pure.

Partitions close their windows in order, so a partition that has sent a later window has closed the earlier ones too.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from driftloop.contracts.events import DriftReported, WindowSketched
from driftloop.contracts.values import Time, Window
from driftloop.monitoring.drift import worst
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS
from driftloop.statistics.distances import RANKED_BY

# Reported windows whose counts are kept for corrections. A partition corrects its last KEPT_CLOSED_WINDOWS; the others may
# have closed some more by the time that its correction is read.
COUNTED_WINDOWS = KEPT_CLOSED_WINDOWS + 5
REMEMBERED_WINDOWS = 1000  # reported windows that may still wait for their decision
CURSOR_KEY = b"cursor"


class WindowSummary(msgspec.Struct, frozen=True):
    """What was reported about a window, as the policy needs it. ``version``: the newest one that scored rows; ``column``: its
    column that moved most."""

    version: int | None
    rows: int
    drifted: bool
    column: str | None
    value: float | None = msgspec.field(name="psi")  # how far it moved, by RANKED_BY; stored under the older name
    threshold: float  # of that statistic
    closing_offsets: dict[str, int]
    topic_ids: dict[str, str] | msgspec.UnsetType = msgspec.UNSET  # by partition, of the ``inferences`` that these offsets are of


class AssembledWindow(msgspec.Struct):
    """One window of the stream. ``by_partition``: its counts, stored under an older name; ``revision`` of the last report; −1: none yet."""

    window: Window
    by_partition: dict[int, WindowSketched] = msgspec.field(default_factory=dict, name="sketches")
    revision: int = -1
    summary: WindowSummary | None = None


class AssemblyCursor(msgspec.Struct):
    """Next offset of ``window-sketches``, how far each partition has closed, and up to where windows were forgotten."""

    next_offset: int = 0
    closed: dict[int, Time] = {}
    forgotten_up_to: Time | None = None
    topic_id: str | None = None  # of the topic that ``next_offset`` is of; not in older values


class Standing(NamedTuple):
    """What the windows knew of one partition before a sketch."""

    sketch: WindowSketched | None
    closed: datetime | None
    window_is_new: bool


class WindowAssembler:
    """The windows of one stream, rebuilt from table values and changed by one partition's counts after another."""

    def __init__(self, stream: str, values: Mapping[bytes, bytes], topic_id: str) -> None:
        """``topic_id``: of the topic that the counts come from, as it is now; what an older one told stays, but its offsets."""
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
        if self.cursor.topic_id not in (None, topic_id):
            self.cursor.next_offset = 0
        self.cursor.topic_id = topic_id

    def add(self, counted: WindowSketched) -> bool:
        """Put one partition's counts in their place; False if they change nothing. The highest closing offset wins, and of two
        incarnations of ``inferences``, whose offsets begin anew, the one that comes later."""
        if counted.stream != self._stream:
            return False
        forgotten = self.cursor.forgotten_up_to
        if forgotten is not None and counted.window.end <= forgotten:
            return False
        held = self.windows.setdefault(counted.window.start, AssembledWindow(counted.window))
        if held.revision >= 0 and not held.by_partition:
            return False
        before = held.by_partition.get(counted.partition)
        if before is not None and _same_topic(before, counted) and before.closing_offset >= counted.closing_offset:
            return False
        held.by_partition[counted.partition] = counted
        closed = self.cursor.closed.get(counted.partition)
        self.cursor.closed[counted.partition] = max(counted.window.end, closed or counted.window.end)
        self._changed.add(counted.window.start)
        return True

    def standing(self, counted: WindowSketched) -> Standing:
        """What ``add`` would replace."""
        held = self.windows.get(counted.window.start)
        before = None if held is None else held.by_partition.get(counted.partition)
        return Standing(before, self.cursor.closed.get(counted.partition), held is None)

    def take_back(self, counted: WindowSketched, standing: Standing) -> None:
        """As if ``counted`` had never come: ``standing`` is from before it was added."""
        start = counted.window.start
        if standing.sketch is not None:
            self.windows[start].by_partition[counted.partition] = standing.sketch
        elif start in self.windows:
            self.windows[start].by_partition.pop(counted.partition, None)
            if standing.window_is_new:
                del self.windows[start]
        if standing.closed is None:
            self.cursor.closed.pop(counted.partition, None)
        else:
            self.cursor.closed[counted.partition] = standing.closed

    def to_report(self, counted: WindowSketched) -> Iterator[AssembledWindow]:
        """After ``add``: the windows that are now complete for the first time, in order, and the corrected one."""
        if len(self.cursor.closed) < counted.partitions:
            return
        closed = min(self.cursor.closed.values())
        for start in sorted(self.windows):
            held = self.windows[start]
            if held.window.end <= closed and (held.revision < 0 or start == counted.window.start):
                yield held

    def reported(self, held: AssembledWindow, reports: list[DriftReported]) -> None:
        """Note what was said about a window; forget what is too old to matter."""
        newest = max(reports, key=lambda r: (r.version is not None, r.version or 0))
        most = worst(newest)
        held.summary = WindowSummary(
            version=newest.version,
            rows=sum(counted.rows for counted in held.by_partition.values()),
            drifted=any(report.drifted for report in reports),
            column=most[0] if most else None,
            value=most[1] if most else None,
            threshold=newest.thresholds[RANKED_BY],
            closing_offsets=newest.closing_offsets,
            topic_ids={
                str(partition): counted.topic_id for partition, counted in held.by_partition.items() if counted.topic_id is not None
            },
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
        for start in done[:-COUNTED_WINDOWS]:
            if self.windows[start].by_partition:
                self.windows[start].by_partition = {}
                self._changed.add(start)
        for start in done[:-REMEMBERED_WINDOWS]:
            self.cursor.forgotten_up_to = self.windows.pop(start).window.end
            self._changed.add(start)


def stored_offset(values: Mapping[bytes, bytes], topic_id: str) -> int | None:
    """The next offset of ``window-sketches`` in a partition's table values; None when none of this incarnation of it was stored."""
    value = values.get(CURSOR_KEY)
    cursor = None if value is None else msgspec.msgpack.decode(value, type=AssemblyCursor)
    return None if cursor is None or cursor.topic_id not in (None, topic_id) else cursor.next_offset


def _same_topic(one: WindowSketched, other: WindowSketched) -> bool:
    return None in (one.topic_id, other.topic_id) or one.topic_id == other.topic_id
