"""How times are written in a file, and the moments that they are."""

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.datafile.reading import is_text
from driftloop.errors import UserError
from driftloop.rows.schemas import TIME

NAIVE = pa.timestamp("us")
UNIX = {"unix": 1_000_000, "unix_ms": 1_000}  # microseconds in one of their units
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d/%m/%y", "%m/%d/%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
# Ways other than ISO 8601 that a column of times is looked for in; any other that strptime knows can be stated.
FORMATS = tuple(day + clock for day in _DAYS for clock in _CLOCKS)
ISO = "ISO 8601"
_ZONE = r"^\d{4}-.*(Z|[+-]\d\d:?\d\d)$"


class Unreadable(ValueError):
    """Values that are no times in the stated way; the message counts them."""


def zoned(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which values of ISO 8601 say their offset from UTC."""
    return pc.match_substring_regex(text, _ZONE)


def moments(column: pa.ChunkedArray, written: str | None, timezone: str) -> pa.ChunkedArray:
    """The column as times in UTC. ``written``: None for ISO 8601 or a column of times; else a format of strptime, ``unix`` or
    ``unix_ms``. Times without a zone are those of ``timezone``. Raises Unreadable, and UserError for what is no time zone."""
    if written in UNIX:
        return _of_numbers(column, UNIX[written])
    if is_text(column):
        column = _of_text(column, written)
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise Unreadable(f"holds {column.type}, no times")
    try:
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            return column.cast(TIME)
        return localized(column.cast(NAIVE), timezone)
    except pa.ArrowInvalid as exc:
        raise Unreadable(f"holds a time that is no whole number of microseconds: {exc}") from exc


def localized(naive: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """An hour that a clock change skips or repeats: the later and the earlier moment, so that no row is lost."""
    try:
        ZoneInfo(timezone)
        return pc.assume_timezone(naive, timezone, ambiguous="earliest", nonexistent="latest").cast(TIME)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise UserError(f"[backtest] timezone: {timezone!r} is no time zone") from exc


def _of_numbers(column: pa.ChunkedArray, micros: int) -> pa.ChunkedArray:
    try:
        seconds = column.cast(pa.float64()) if micros > 1_000 else column.cast(pa.int64())
        return pc.multiply(seconds, micros).cast(pa.int64(), safe=False).cast(TIME)
    except pa.ArrowException as exc:
        raise Unreadable(f"holds what is no number: {exc}") from exc


def _of_text(text: pa.ChunkedArray, written: str | None) -> pa.ChunkedArray:
    if written is not None:
        try:
            found = pc.strptime(text, format=written, unit="us", error_is_null=True)
        except pa.ArrowException as exc:
            raise Unreadable(f"cannot be read as {written!r}: {exc}") from exc
        if found.null_count > text.null_count:
            raise Unreadable(_other_than(text, found, repr(written)))
        return found
    mixed = _some_zoned(text)
    if mixed is not None:
        raise Unreadable(mixed)
    try:
        return text.cast(TIME if pc.any(zoned(text)).as_py() else NAIVE)
    except pa.ArrowException as exc:
        raise Unreadable(described(text)) from exc


def _some_zoned(text: pa.ChunkedArray) -> str | None:
    """Words for times of which some say their offset; None where all do, or none."""
    offsets = zoned(text)
    with_zone = pc.sum(offsets).as_py() or 0
    if with_zone in (0, len(text) - text.null_count):
        return None
    first = text.filter(pc.invert(offsets))[0].as_py()
    return f"holds {with_zone:,} times with an offset from UTC and others without, such as {first!r}: write them alike"


def _other_than(text: pa.ChunkedArray, found: pa.ChunkedArray, way: str) -> str:
    wrong = pc.and_(pc.is_valid(text), pc.is_null(found))
    row = pc.index(wrong, True).as_py()
    return f"has {pc.sum(wrong).as_py():,} values that are no times written as {way}, such as {text[row].as_py()!r} in row {row + 1:,}"


class Writing(NamedTuple):
    """So many values of a column are times written this way; ``example`` stands in ``row``, from 1."""

    way: str
    values: int
    example: str
    row: int


def writings(text: pa.ChunkedArray, ways: Sequence[str] = FORMATS) -> list[Writing]:
    """Every way in which some of the values are times, most frequent first; a value may be counted by several."""
    found = []
    for way in (ISO, *ways):
        fits = _iso(text) if way == ISO else pc.is_valid(pc.strptime(text, format=way, unit="us", error_is_null=True))
        values = pc.sum(fits).as_py() or 0
        if values:
            row = pc.index(pc.fill_null(fits, False), True).as_py()
            found.append(Writing(way, values, str(text[row].as_py()), row + 1))
    return sorted(found, key=lambda writing: -writing.values)


def _iso(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring_regex(text, r"^\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?(Z|[+-]\d\d:?\d\d)?$")


def described(text: pa.ChunkedArray) -> str:
    """Words for a column of which not every value is a time in one way: how many are in which, and where one of them is."""
    mixed = _some_zoned(text)
    if mixed is not None and pc.all(_iso(text)).as_py():
        return mixed
    ways = writings(text)
    of_text = len(text) - text.null_count
    told: list[str] = []
    left = pa.chunked_array([pa.array([True] * len(text))])
    for writing in ways:  # those that explain what the ones before them do not
        fits = _iso(text) if writing.way == ISO else pc.is_valid(pc.strptime(text, format=writing.way, unit="us", error_is_null=True))
        new = pc.and_(left, pc.fill_null(fits, False))
        count = pc.sum(new).as_py() or 0
        if count:
            row = pc.index(new, True).as_py()
            told.append(f"{count:,} as {writing.way} ({text[row].as_py()!r}, row {row + 1:,})")
            left = pc.and_(left, pc.invert(pc.fill_null(fits, False)))
    other = pc.and_(left, pc.is_valid(text))
    n_other = pc.sum(other).as_py() or 0
    if n_other:
        row = pc.index(other, True).as_py()
        told.append(f"{n_other:,} in no way that is known ({text[row].as_py()!r}, row {row + 1:,})")
    return f"has times written in {len(told)} ways, of {of_text:,} values {'; '.join(told)}"
