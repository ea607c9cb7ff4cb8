"""Just enough of FlatBuffers to read a stranger's file: every offset is looked at before it is followed."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


class Malformed(ValueError):
    """It points outside itself."""


class Table:
    """A table at ``at`` of ``data``; its fields by their number in the schema, absent ones as their defaults."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        start = at - int(self._number("<i", at))
        size = int(self._number("<H", start))
        if size < 4 or size % 2:
            raise Malformed("a table without fields")
        self._fields = [int(self._number("<H", start + 4 + 2 * n)) for n in range((size - 4) // 2)]

    @classmethod
    def root(cls, data: bytes) -> "Table":
        if len(data) < 8:
            raise Malformed("it is too short")
        return cls(data, struct.unpack_from("<I", data)[0])

    def __contains__(self, field: int) -> bool:
        return field < len(self._fields) and self._fields[field] != 0

    def integer(self, field: int, default: int) -> int:
        return int(self._number("<i", self._place(field))) if field in self else default

    def byte(self, field: int, default: int) -> int:
        return int(self._number("<B", self._place(field))) if field in self else default

    def text(self, field: int) -> str:
        """Raises Malformed when it is absent or no UTF-8."""
        try:
            return bytes(self.array(field, "u1")).decode("utf-8")
        except UnicodeDecodeError as exc:
            raise Malformed("a text that is none") from exc

    def table(self, field: int) -> "Table":
        return Table(self._data, self._referred(self._place(field)))

    def array(self, field: int, dtype: npt.DTypeLike) -> "npt.NDArray[Any]":
        """Of numbers or structs; empty when absent."""
        kind = np.dtype(dtype)
        if field not in self:
            return np.zeros(0, kind)
        start, length = self._vector(field)
        self._within(start, length * kind.itemsize)
        return np.frombuffer(self._data, kind, length, start)

    def tables(self, field: int) -> Iterator["Table"]:
        for at in self._references(field):
            yield Table(self._data, at)

    def texts(self, field: int) -> list[str]:
        found = []
        for at in self._references(field):
            length = int(self._number("<I", at))
            self._within(at + 4, length)
            found.append(self._data[at + 4 : at + 4 + length].decode("utf-8", "replace"))
        return found

    def count(self, field: int) -> int:
        return self._vector(field)[1] if field in self else 0

    def _references(self, field: int) -> list[int]:
        if field not in self:
            return []
        start, length = self._vector(field)
        self._within(start, 4 * length)
        return [self._referred(start + 4 * n) for n in range(length)]

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._referred(self._place(field))
        return at + 4, int(self._number("<I", at))

    def _place(self, field: int) -> int:
        if field not in self:
            raise Malformed(f"field {field} is missing")
        return self._at + self._fields[field]

    def _referred(self, at: int) -> int:
        return at + int(self._number("<I", at))

    def _number(self, kind: str, at: int) -> int:
        self._within(at, struct.calcsize(kind))
        found: int = struct.unpack_from(kind, self._data, at)[0]
        return found

    def _within(self, at: int, size: int) -> None:
        if at < 0 or size < 0 or at + size > len(self._data):
            raise Malformed("it points outside itself")
