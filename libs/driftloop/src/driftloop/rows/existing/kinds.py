"""Values as a foreign format has them, a column at a time, turned into a column of ours or refused in words.

A column whose values are all of expected types is turned as a whole; which types it has is found without looking at each.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, assert_never

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import FeatureType
from driftloop.contracts.existing_topics import Source, TimeFormat
from driftloop.contracts.headers import parse_time
from driftloop.errors import InvalidMessage
from driftloop.rows.limits import check_finite, check_ids, check_times
from driftloop.rows.schemas import TIME

Kind = FeatureType | Literal["id"]
_US = {"unix": 1_000_000, "unix_ms": 1_000, "unix_us": 1, "unix_days": 86_400_000_000}
_NONE = type(None)
_WORDS = {
    bool: "true or false",
    bytes: "bytes",
    date: "a date",
    datetime: "a time",
    Decimal: "a decimal number",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "text",
    _NONE: "null",
}
_EXPECTED: dict[Kind, str] = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "category": "text",
    "datetime": "a time",
    "id": "text or a whole number",
}


class Utf8:
    """In place of ``str``, of a column that is known to hold text alone, as bytes in UTF-8: made text of as a whole."""


class Column(NamedTuple):
    """One column that is wanted of a record. ``needed``: null is refused; ``declared``: the field must be there, null or not."""

    name: str
    kind: Kind
    source: Source
    needed: bool = False
    declared: bool = True

    @property
    def expected(self) -> str:
        return _EXPECTED[self.kind]


def found_words(kind: type) -> str:
    """What a value of this Python type is, for people."""
    return _WORDS.get(kind, kind.__name__)


def array(column: Column, values: Sequence[Any], time_format: TimeFormat | None = None, types: Set[type] | None = None) -> pa.Array:
    """The values as Arrow, null where one is missing. ``time_format``: as the schema says it, where it does; ``types``: all that they
    are beside null, where that is known. Raises InvalidMessage."""
    found = set(map(type, values)) - {_NONE} if types is None else types
    made = _made(column, values, found, time_format or column.source.time_format)
    if column.needed and made.null_count:
        raise InvalidMessage(f"field {column.source.path!r} is null, and a row needs its {column.name}")
    match column.kind:
        case "number":
            check_finite(made, column.source.path)
        case "id":
            check_ids(made, column.source.path)
        case "datetime":
            check_times(made, column.source.path)
    return made


def _made(column: Column, values: Sequence[Any], found: Set[type], time_format: TimeFormat | None) -> pa.Array:
    match column.kind:
        case "number":
            return _scaled(_typed(column, values, found, pa.float64(), float, {int: float, Decimal: float}), column.source)
        case "integer":
            return _typed(column, values, found, pa.int64(), int, {})
        case "boolean":
            return _typed(column, values, found, pa.bool_(), bool, {})
        case "category":
            return _typed(column, values, found, pa.string(), str, {int: str})
        case "id":
            return _typed(column, values, found, pa.string(), str, {int: str, uuid.UUID: str})
        case "datetime":
            return _times(column, values, found, time_format)
        case _:
            assert_never(column.kind)


def _typed(
    column: Column,
    values: Sequence[Any],
    found: Set[type],
    arrow: pa.DataType,
    direct: type,
    others: Mapping[type, Callable[[Any], Any]],
) -> pa.Array:
    if found == {Utf8} and direct is str:
        return pa.array(values, pa.binary()).cast(arrow)
    if found <= {direct}:
        return pa.array(values, arrow)
    _refuse(column, found - {direct} - others.keys())
    return pa.array([v if (turn := others.get(type(v))) is None else turn(v) for v in values], arrow)


def _times(column: Column, values: Sequence[Any], found: Set[type], time_format: TimeFormat | None) -> pa.Array:
    unit = _US.get(time_format or "")
    if found == {Utf8}:
        values, found = [None if v is None else v.decode() for v in values], {str}
    if unit is not None and found <= {int}:
        return pc.multiply_checked(pa.array(values, pa.int64()), pa.scalar(unit, pa.int64())).cast(TIME)
    _refuse(column, found - {int, float, str, datetime, date})
    return pa.array([None if v is None else _time(column, v, time_format, unit) for v in values], TIME)


def _time(column: Column, value: Any, time_format: TimeFormat | None, unit: int | None) -> datetime | int:
    """Raises InvalidMessage, OverflowError."""
    match value:
        case datetime():
            if value.tzinfo is None:
                raise InvalidMessage(f"field {column.source.path!r}: a time without its offset from UTC")
            return value
        case date():
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        case str():
            try:
                if time_format == "date":
                    return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
                return parse_time(value)
            except ValueError as exc:  # InvalidMessage is one
                raise InvalidMessage(f"field {column.source.path!r}: {exc}") from exc
        case _ if unit is None:
            formats = ", ".join(sorted(_US))
            raise InvalidMessage(f"field {column.source.path!r}: {value} is a number: say how it is a time, time_format = one of {formats}")
        case int():
            return int(value * unit)
        case _:
            microseconds: int = round(value * unit)  # raises for NaN and infinity
            return microseconds


def _scaled(numbers: pa.Array, source: Source) -> pa.Array:
    if source.scale != 1.0:
        numbers = pc.multiply(numbers, pa.scalar(source.scale, pa.float64()))
    return numbers if source.offset == 0.0 else pc.add(numbers, pa.scalar(source.offset, pa.float64()))


def _refuse(column: Column, wrong: Set[type]) -> None:
    if wrong:
        words = " and ".join(sorted(found_words(kind) for kind in wrong))
        raise InvalidMessage(f"field {column.source.path!r}: expected {column.expected}, found {words}")
