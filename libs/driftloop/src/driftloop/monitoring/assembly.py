"""Putting partitions' counts together: which windows are complete, and what was said about them. Pure.

Partitions close their windows in order, so a partition that has sent a later window has closed the earlier ones too. A window
is known by start and end: where a project declares others, an earlier one may share its start.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from driftloop.contracts.events import DriftReported, IncidentReported, PerformanceReported, WindowSketched
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Time, Window
from driftloop.monitoring import incidents
from driftloop.monitoring.answers import moved_columns
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.drift import worst
from driftloop.monitoring.forgotten_windows import Forgotten
from driftloop.monitoring.held_counts import HeldCounts
from driftloop.monitoring.incidents import Incident
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS
from driftloop.monitoring.performance import LastReport
from driftloop.statistics.distances import RANKED_BY

# Reported windows whose counts are kept for corrections. A partition corrects its last KEPT_CLOSED_WINDOWS; the others may
# have closed some more by the time that its correction is read.
COUNTED_WINDOWS = KEPT_CLOSED_WINDOWS + 5
REMEMBERED_WINDOWS = 1000  # reported windows
# Those that wait for their decision are remembered beyond that: they may do so for as long as ingest, the store or the registry is
# away. A week of one-minute windows.
UNDECIDED_WINDOWS = 10_000
CURSOR_KEY = b"cursor"
_CLOSED_KEYS, _PART = b"closed/", "/counts/"  # of what a partition has closed; between a window's key and its partition's


class AssemblyCursor(msgspec.Struct):
    """Next offset of ``window-sketches``, how far each partition has closed, stored apart, and up to where windows were forgotten."""

    next_offset: int = 0
    closed: dict[int, Time] = {}
    forgotten_up_to: Time | None = None
    topic_id: str | None = None  # of the topic that ``next_offset`` is of; not in older values
    forgotten: tuple[Time, Time, float] | None = None  # as ``Forgotten``, the length in seconds
    lake_seen: dict[str, int] = {}  # version of each table up to which the reports of forgotten windows hold what came


class Standing(NamedTuple):
    """What the windows knew of one partition before a sketch."""

    counts: HeldCounts | None
    closed: datetime | None
    window_is_new: bool


class WindowAssembler:
    """The windows of one stream, rebuilt from table values and changed by one partition's counts after another."""

    def __init__(self, stream: str, values: Mapping[bytes, bytes], topic_id: str) -> None:
        """``topic_id``: of the topic that the counts come from, as it is now; what an older one told stays, but its offsets."""
        self._stream = stream
        self.cursor = AssemblyCursor()
        self.windows: dict[Window, AssembledWindow] = {}
        self.decided_up_to: datetime | None = None  # every window that ends by then has its decision; None: not known
        self.forgotten_undecided = 0
        self._changed: dict[bytes, Window | tuple[Window, int] | int | None] = {}  # keys to write, with what lies there; None: nothing
        self._restore(values)
        if self.cursor.topic_id not in (None, topic_id):
            self.cursor.next_offset = 0
        self.cursor.topic_id = topic_id

    def _restore(self, values: Mapping[bytes, bytes]) -> None:
        closed: dict[int, datetime] = {}
        parts: list[tuple[WindowSketched, HeldCounts]] = []
        for key, value in values.items():
            if key == CURSOR_KEY:
                self.cursor = msgspec.msgpack.decode(value, type=prepared(AssemblyCursor))
            elif key.startswith(_CLOSED_KEYS):
                closed[int(key.removeprefix(_CLOSED_KEYS))] = msgspec.msgpack.decode(value, type=prepared(datetime))
            elif _PART.encode() in key:
                counted = msgspec.msgpack.decode(value, type=prepared(WindowSketched))
                parts.append((msgspec.structs.replace(counted, sketches=()), HeldCounts.of(counted, value)))
            else:
                held = AssembledWindow.decode(value)
                self.windows[held.window] = held
                if held.by_partition or key != _key(held.window):  # as earlier releases stored them
                    self._changed[key] = None
                    self._window_changed(held.window)
                    for partition in held.by_partition:
                        self._part_changed(held.window, partition)
        for counted, packed in parts:
            if counted.window in self.windows:
                self.windows[counted.window].by_partition[counted.partition] = packed
        for partition in self.cursor.closed:  # as earlier releases stored them
            self._changed[_CLOSED_KEYS + b"%d" % partition] = partition
        self.cursor.closed.update(closed)

    def _window_changed(self, window: Window) -> None:
        self._changed[_key(window)] = window

    def _part_changed(self, window: Window, partition: int) -> None:
        self._changed[_key(window, partition)] = window, partition

    def add(self, counted: WindowSketched) -> bool:
        """Put one partition's counts in their place; False if they change nothing. The highest closing offset wins, and of two
        incarnations of ``inferences``, whose offsets begin anew, the one that comes later."""
        if counted.stream != self._stream:
            return False
        forgotten = self.cursor.forgotten_up_to
        if forgotten is not None and counted.window.end <= forgotten:
            return False
        held = self.windows.setdefault(counted.window, AssembledWindow(counted.window))
        if held.revision >= 0 and not held.by_partition:
            return False
        before = held.by_partition.get(counted.partition)
        if before is not None and _same_topic(before, counted) and before.closing_offset >= counted.closing_offset:
            return False
        held.by_partition[counted.partition] = HeldCounts.of(counted)
        closed = self.cursor.closed.get(counted.partition)
        self.cursor.closed[counted.partition] = max(counted.window.end, closed or counted.window.end)
        self._changed[_CLOSED_KEYS + b"%d" % counted.partition] = counted.partition
        self._part_changed(counted.window, counted.partition)
        if len(held.by_partition) == 1:
            self._window_changed(counted.window)
        return True

    def standing(self, counted: WindowSketched) -> Standing:
        """What ``add`` would replace."""
        held = self.windows.get(counted.window)
        before = None if held is None else held.by_partition.get(counted.partition)
        return Standing(before, self.cursor.closed.get(counted.partition), held is None)

    def take_back(self, counted: WindowSketched, standing: Standing) -> None:
        """As if ``counted`` had never come: ``standing`` is from before it was added."""
        window = counted.window
        if standing.counts is not None:
            self.windows[window].by_partition[counted.partition] = standing.counts
        elif window in self.windows:
            self.windows[window].by_partition.pop(counted.partition, None)
            if standing.window_is_new:
                del self.windows[window]
        if standing.closed is None:
            self.cursor.closed.pop(counted.partition, None)
        else:
            self.cursor.closed[counted.partition] = standing.closed

    def to_report(self, counted: WindowSketched) -> Iterator[AssembledWindow]:
        """After ``add``: the windows that are now complete for the first time, in order, and the corrected one."""
        known = [end for partition, end in self.cursor.closed.items() if partition < counted.partitions]  # others are of a topic of before
        if len(known) < counted.partitions:
            return
        closed = min(known)
        due = [h for h in self.windows.values() if h.window.end <= closed and (h.revision < 0 or h.window == counted.window)]
        yield from sorted(due, key=lambda held: _order(held.window))

    def incidents(self, held: AssembledWindow, reports: Sequence[DriftReported]) -> list[IncidentReported]:
        """What is to be said of incidents when these reports on a window are; before ``reported``, which notes it."""
        now = replace(held, summary=summary_of(held, reports))
        earlier, later = self._around(held)
        rest = [other.alarm for other in later]
        model, open_one = reports[0].model, _open_after(earlier)
        return incidents.told(model, self._stream, open_one, [held.alarm, *rest], [now.alarm, *rest], held.window)

    def reported(self, held: AssembledWindow, reports: Sequence[DriftReported]) -> None:
        """Note what was said about a window; forget what is too old to matter."""
        held.summary = summary_of(held, reports)
        held.revision = reports[0].revision
        self._window_changed(held.window)
        earlier, later = self._around(held)
        open_one = _open_after(earlier)
        for other in (held, *later):
            open_one, _ = incidents.after(reports[0].model, open_one, other.alarm)
            if other.summary is not None and other.open_incident != open_one:
                other.summary = msgspec.structs.replace(other.summary, incident=open_one or msgspec.UNSET)
                self._window_changed(other.window)
        self._forget()

    def _around(self, held: AssembledWindow) -> tuple[list[AssembledWindow], list[AssembledWindow]]:
        """Reported windows before and after one."""
        others = [other for other in self.complete() if other.window != held.window]
        before = [other for other in others if _order(other.window) < _order(held.window)]
        return before, others[len(before) :]

    def measured(self, report: PerformanceReported) -> None:
        """Remember the last performance report on a window, while the window is."""
        held = self.windows.get(report.window)
        if held is None or held.last_report(report.version) == (last := LastReport.of(report)):
            return
        others = () if held.performance is msgspec.UNSET else held.performance
        held.performance = (*(other for other in others if other.version != report.version), last)
        self._window_changed(held.window)

    def changes(self, next_offset: int) -> dict[bytes, bytes | None]:
        """Table values to write, which belong together; None deletes."""
        self.cursor.next_offset = next_offset
        values = {key: self._value(what) for key, what in sorted(self._changed.items())}
        values[CURSOR_KEY] = msgspec.msgpack.encode(msgspec.structs.replace(self.cursor, closed={}))
        self._changed = {}
        return values

    def _value(self, what: Window | tuple[Window, int] | int | None) -> bytes | None:
        match what:
            case Window():
                held = self.windows.get(what)
                return None if held is None else held.encode()
            case int():
                closed = self.cursor.closed.get(what)
                return None if closed is None else msgspec.msgpack.encode(closed)
            case (window, partition):
                counts = self.windows[window].by_partition.get(partition) if window in self.windows else None
                return None if counts is None else counts.packed
            case None:
                return None

    @property
    def forgotten(self) -> Forgotten | None:
        """The windows that are no longer here, as far as they are known to be of one plan."""
        held = self.cursor.forgotten
        return None if held is None else Forgotten(held[0], held[1], timedelta(seconds=held[2]))

    def complete(self) -> list[AssembledWindow]:
        """Reported windows in order."""
        return [held for held in self._in_order() if held.summary is not None]

    def _in_order(self) -> list[AssembledWindow]:
        return [self.windows[window] for window in sorted(self.windows, key=_order)]

    def _forget(self) -> None:
        done = self.complete()
        for held in done[:-COUNTED_WINDOWS]:
            for partition in held.by_partition:
                self._part_changed(held.window, partition)
            held.by_partition = {}
        for held in done[:-REMEMBERED_WINDOWS]:
            if self.decided_up_to is None or held.window.end > self.decided_up_to:
                if len(self.windows) <= UNDECIDED_WINDOWS:
                    break
                self.forgotten_undecided += 1
            del self.windows[held.window]
            self.cursor.forgotten_up_to = max(held.window.end, self.cursor.forgotten_up_to or held.window.end)
            known = self.forgotten
            now = Forgotten.of(held.window) if known is None else known.and_then(held.window)
            self.cursor.forgotten = now.start, now.end, now.every.total_seconds()
            self._window_changed(held.window)


def decided_up_to(complete: Sequence[AssembledWindow], undecided: Sequence[Window]) -> datetime | None:
    """Every one of ``complete`` that ends by then has its decision; None: there are none. Both are in order."""
    return undecided[0].start if undecided else max((held.window.end for held in complete), default=None)


def summary_of(held: AssembledWindow, reports: Sequence[DriftReported]) -> WindowSummary:
    """What is kept of a window's reports."""
    main = max(reports, key=lambda r: (r.version is not None, r.rows, r.version or 0))
    most = worst(main)
    return WindowSummary(
        version=main.version,
        rows=sum(counted.rows for counted in held.by_partition.values()),
        drifted=any(report.drifted for report in reports),
        column=most.column if most else None,
        value=most.value if most else None,
        threshold=most.threshold if most else main.thresholds.get(RANKED_BY),
        closing_offsets=main.closing_offsets,
        topic_ids={str(partition): counted.topic_id for partition, counted in held.by_partition.items() if counted.topic_id is not None},
        statistic=most.statistic if most else msgspec.UNSET,
        repeated=any(report.drifted if report.repeated is None else report.repeated for report in reports),
        verdict=main.verdict or msgspec.UNSET,
        drifted_columns=incidents.drifted_columns(main) or msgspec.UNSET,
        moved=moved_columns(main),
    )


def _open_after(windows: Sequence[AssembledWindow]) -> Incident | None:
    return windows[-1].open_incident if windows else None


def _order(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end


def _key(window: Window, partition: int | None = None) -> bytes:
    key = f"{window.start.isoformat()}/{window.end.isoformat()}"
    return (key if partition is None else f"{key}{_PART}{partition}").encode()


def stored_offset(values: Mapping[bytes, bytes], topic_id: str) -> int | None:
    """The next offset of ``window-sketches`` in a partition's table values; None when none of this incarnation of it was stored."""
    value = values.get(CURSOR_KEY)
    cursor = None if value is None else msgspec.msgpack.decode(value, type=prepared(AssemblyCursor))
    return None if cursor is None or cursor.topic_id not in (None, topic_id) else cursor.next_offset


def _same_topic(one: HeldCounts, other: WindowSketched) -> bool:
    return None in (one.topic_id, other.topic_id) or one.topic_id == other.topic_id
