"""What each window's predictions were worth by the categories of the features that a project declares as segments."""

from typing import NamedTuple

import msgspec
import numpy as np

from driftloop.contracts.events import PerformanceReported
from driftloop_console.columns import Array, Columns, Stored, whole

MAX_ROWS = 400_000  # of one model
MAX_CELLS = 4_000_000
MAX_SEGMENTS = 500
MAX_NAME = 200  # characters of a category


class Segment(NamedTuple):
    """``value`` None: rows without one; ``others``: all categories that were too many."""

    feature: str
    value: str | None
    others: bool

    def __str__(self) -> str:
        return "all others" if self.others else "without a value" if self.value is None else self.value


class StoredSegments(msgspec.Struct, frozen=True):
    names: list[Segment]
    table: Stored


class SegmentTable:
    """Of one model: the newest revision of each window, all versions together. A cell without rows is of a segment that the window
    had not."""

    def __init__(self) -> None:
        self.names: list[Segment] = []  # in the order in which they came
        self._at: dict[Segment, int] = {}
        self.table = Columns({"revision": "i8"}, {"rows": "f4", "labelled": "f4", "value": "f4"}, max_rows=MAX_ROWS)

    def add(self, event: PerformanceReported) -> None:
        if event.version is not None or event.segments is msgspec.UNSET or not event.segments:
            return
        row, known = self.table.row_of(event.window, None)
        if known and self.table["revision"][row] > event.revision:
            return
        self.table.set(row, revision=whole(event.revision))
        told = []
        for each in event.segments:
            value = None if each.value is None else each.value[:MAX_NAME]
            place = self._place_of(Segment(each.feature[:MAX_NAME], value, each.others))
            if place is not None:
                told.append((place, float(each.rows), float(each.labelled), np.nan if each.measured is None else each.measured.value))
        for column, name in enumerate(("rows", "labelled", "value"), start=1):
            cells = np.zeros(self.table.width, "f4")
            cells[[one[0] for one in told]] = [one[column] for one in told]
            self.table.set_wide(row, name, cells)

    def cells(self, name: str, part: slice) -> Array:
        """Windows × segments."""
        found: Array = self.table[name][part, : self.table.width]
        return found

    def stored(self) -> StoredSegments:
        return StoredSegments(self.names, self.table.stored())

    def restore(self, stored: StoredSegments) -> None:
        self.names, self._at = list(stored.names), {name: at for at, name in enumerate(stored.names)}
        self.table.restore(stored.table)

    def _place_of(self, name: Segment) -> int | None:
        """None: there are too many, and this one came too late."""
        at = self._at.get(name)
        if at is None and len(self.names) < MAX_SEGMENTS:
            at = self._at[name] = len(self.names)
            self.names.append(name)
            self.table.widen(len(self.names))
            self.table.max_rows = max(100, min(MAX_ROWS, MAX_CELLS // len(self.names)))
        return at
