"""A table of numbers in memory, a column an array: what a year of windows takes in objects it takes in a hundredth of that here."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Window

Array = npt.NDArray[Any]

FIRST_ROWS = 64
ALL_VERSIONS = -1  # the version of a report on all of a window's versions together, or on rows that no version scored
KEYS = {"start": "i8", "end": "i8", "version": "i8"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST = 2**62


def milliseconds(time: datetime) -> int:
    """Since 1970, rounded down: what the tables and the pages' scripts count in."""
    return (time - _EPOCH) // _MILLISECOND


def moment(ms: int) -> datetime:
    """The time that ``milliseconds`` has counted."""
    return _EPOCH + int(ms) * _MILLISECOND


def whole(number: int) -> int:
    """A count as a column takes it, however large a stranger's is."""
    return max(-_MOST, min(_MOST, number))


class Stored(msgspec.Struct, frozen=True):
    """A table as bytes, column by column. Raises ValueError on reading when it is of other columns."""

    rows: int
    width: int
    columns: dict[str, bytes]


class Columns:
    """Rows in the order of window and version, each key once. ``wide``: columns that have ``width`` numbers a row.

    Rows come nearly in order, so a new one is nearly always the last: it costs nothing but the numbers. One that comes late
    moves those behind it.
    """

    def __init__(self, fields: Mapping[str, str], wide: Mapping[str, str] | None = None, *, max_rows: int) -> None:
        self._types = {**KEYS, **fields}
        self._wide_types = dict(wide or {})
        self.max_rows, self.rows, self.width = max_rows, 0, 0
        self._arrays: dict[str, Array] = {name: np.zeros(FIRST_ROWS, kind) for name, kind in self._types.items()}
        self._arrays |= {name: np.zeros((FIRST_ROWS, 0), kind) for name, kind in self._wide_types.items()}

    def __getitem__(self, name: str) -> Array:
        """The column, without the room behind it. Valid until the next change."""
        found: Array = self._arrays[name][: self.rows]
        return found

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())

    def row_of(self, window: Window, version: int | None) -> tuple[int, bool]:
        """Its row, and whether it was there: a new one is all zeros. The oldest row goes when there are too many."""
        key = milliseconds(window.start), milliseconds(window.end), ALL_VERSIONS if version is None else whole(version)
        at = self._place(key)
        if at < self.rows and self._key(at) == key:
            return at, True
        if self.rows >= self.max_rows:
            dropped = max(1, self.max_rows // 10)  # many at once: each row is moved a bounded number of times
            self.forget(dropped)
            at = max(0, at - dropped)
        self._make_room(at)
        for name, value in zip(KEYS, key, strict=True):
            self._arrays[name][at] = value
        return at, False

    def set(self, row: int, **values: float) -> None:
        for name, value in values.items():
            self._arrays[name][row] = value

    def set_wide(self, row: int, name: str, values: Array) -> None:
        self._arrays[name][row, : len(values)] = values

    def widen(self, width: int) -> None:
        """So many numbers a row from now on; those of rows before are zeros."""
        if width <= self.width:
            return
        room = max(width, 2 * self.width if self.width else width)
        for name in self._wide_types:
            before = self._arrays[name]
            if before.shape[1] < width:
                grown = np.zeros((before.shape[0], room), before.dtype)
                grown[:, : before.shape[1]] = before
                self._arrays[name] = grown
        self.width = width

    def forget(self, rows: int) -> None:
        """The oldest ones."""
        kept = self.rows - rows
        for array in self._arrays.values():
            array[:kept] = array[rows : self.rows].copy()
            array[kept : self.rows] = 0
        self.rows = kept

    def between(self, start_ms: int | None, end_ms: int | None) -> slice:
        """Rows whose window begins in [start, end)."""
        starts = self["start"]
        first = 0 if start_ms is None else int(np.searchsorted(starts, start_ms, "left"))
        last = self.rows if end_ms is None else int(np.searchsorted(starts, end_ms, "left"))
        return slice(first, max(first, last))

    def stored(self) -> Stored:
        flat = {name: self[name].tobytes() for name in self._types}
        wide = {name: self[name][:, : self.width].tobytes() for name in self._wide_types}
        return Stored(self.rows, self.width, flat | wide)

    def restore(self, stored: Stored) -> None:
        if set(stored.columns) != {*self._types, *self._wide_types}:
            raise ValueError("a table of other columns")
        for name, kind in self._types.items():
            self._arrays[name] = np.frombuffer(stored.columns[name], kind).copy()
        for name, kind in self._wide_types.items():
            self._arrays[name] = np.frombuffer(stored.columns[name], kind).reshape(stored.rows, stored.width).copy()
        if any(len(array) != stored.rows for array in self._arrays.values()):
            raise ValueError("columns of different lengths")
        self.rows, self.width = stored.rows, stored.width

    def _key(self, row: int) -> tuple[int, int, int]:
        return int(self._arrays["start"][row]), int(self._arrays["end"][row]), int(self._arrays["version"][row])

    def _place(self, key: tuple[int, int, int]) -> int:
        if self.rows == 0 or key > self._key(self.rows - 1):
            return self.rows
        low, high = 0, self.rows
        while low < high:
            middle = (low + high) // 2
            if self._key(middle) < key:
                low = middle + 1
            else:
                high = middle
        return low

    def _make_room(self, at: int) -> None:
        for name, array in self._arrays.items():
            if self.rows == len(array):
                room = max(FIRST_ROWS, min(2 * len(array), self.max_rows))
                grown = np.zeros((room, *array.shape[1:]), array.dtype)
                grown[: self.rows] = array
                array = self._arrays[name] = grown
            if at < self.rows:
                array[at + 1 : self.rows + 1] = array[at : self.rows].copy()
                array[at] = 0
        self.rows += 1


prepared(Stored)
