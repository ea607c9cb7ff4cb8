"""JSON objects of others, the mapped fields of each."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec

from driftloop.contracts.existing_topics import TimeFormat
from driftloop.contracts.typed import prepared
from driftloop.rows.existing.kinds import Column
from driftloop.rows.existing.paths import getter


class JsonValues:
    """Keeps ``records.Reader``."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.time_formats: list[TimeFormat | None] = [None] * len(columns)
        self.types: list[frozenset[type] | None] = [None] * len(columns)
        self._decode = msgspec.json.Decoder(prepared(dict[str, Any])).decode
        self._get = [getter(column) for column in columns]
        flat = all(len(column.source.steps) == 1 for column in columns) and len(columns) > 1
        self._flat = itemgetter(*(column.source.path for column in columns)) if flat else None

    def columns(self, values: Sequence[bytes], start: int) -> list[Sequence[Any]]:
        bodies = [value[start:] for value in values] if start else values
        objects = list(map(self._decode, bodies))
        for body in bodies:
            body.decode()  # msgspec passes over the bytes of fields that nobody asks for
        if self._flat is not None:
            try:
                return list(zip(*map(self._flat, objects), strict=True))
            except KeyError:
                pass  # one lacks a field, which it may or may not
        return [list(map(get, objects)) for get in self._get]
