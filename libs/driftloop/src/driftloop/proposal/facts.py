"""What is known of each column by its values alone."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import FeatureType
from driftloop.datafile.reading import is_text
from driftloop.datafile.times import ISO, described, writings, zoned
from driftloop.datafile.values import NO_NUMBERS, NotOfType, TimeWriting, as_type, examples, looks_like

SAMPLE = 2_000  # different values that a way of writing times is looked for in
_NUMBERS: tuple[tuple[FeatureType, str], ...] = (("integer", "every value is a whole number"), ("number", "every value is a number"))
_WITH_COMMAS = r"^[+-]?(\d+,\d+|\d{1,3}([.,' ]\d{3})+([.,]\d+)?)$"  # 3,14 and 1,234.5 and 1.234,5
MIXED_SHARE = 0.05  # of values of a second type, from which nobody guesses


class ColumnFacts(NamedTuple):
    """``values``: in the Arrow type of ``kind``; of a column with a ``problem`` as they are. ``written``: how text is a time, None for
    ISO 8601 and typed times. ``ways``: that fit all values, where several do. ``no_zone``: times without an offset."""

    name: str
    kind: FeatureType | None
    values: pa.ChunkedArray
    missing: int
    distinct: int
    why: str
    problem: str | None = None
    written: str | None = None
    ways: tuple[str, ...] = ()
    no_zone: bool = False

    @property
    def rows(self) -> int:
        return len(self.values)

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing


def look(table: pa.Table, types: Mapping[str, FeatureType], time_format: str | None, timezone: str) -> list[ColumnFacts]:
    """Of every column, in the file's order. ``types``: stated for some; ``time_format``: stated for columns of times."""
    return [facts_of(name, table.column(name), types.get(name), time_format, timezone) for name in table.column_names]


def facts_of(name: str, column: pa.ChunkedArray, stated: FeatureType | None, time_format: str | None, timezone: str) -> ColumnFacts:
    if stated is not None:
        try:
            values = as_type(column, stated, TimeWriting(time_format if is_text(column) else None, timezone))
        except NotOfType as exc:
            return _problem(name, column, f"is stated as {stated}, and {exc}")
        return _facts(name, values, stated, "as stated", time_format if stated == "datetime" else None)
    if column.null_count == len(column):
        return _facts(name, column.cast(pa.string()), "category", "no row has a value")
    return _of_text(name, column, time_format, timezone) if is_text(column) else _typed(name, column, timezone)


def _typed(name: str, column: pa.ChunkedArray, timezone: str) -> ColumnFacts:
    kind = _kind(column.type)
    if kind is None:
        return _problem(name, column, f"holds {column.type}, which is no type of a feature: --drop {_quoted(name)} leaves it out")
    try:
        values = as_type(column, kind, TimeWriting(None, timezone))
    except NotOfType as exc:
        return _problem(name, column, str(exc))
    no_zone = kind == "datetime" and getattr(column.type, "tz", None) is None
    return _facts(name, values, kind, f"the file's {column.type}", no_zone=no_zone)


def _kind(arrow: pa.DataType) -> FeatureType | None:
    if pa.types.is_boolean(arrow):
        return "boolean"
    if pa.types.is_integer(arrow):
        return "integer"
    if pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return "number"
    return "datetime" if pa.types.is_timestamp(arrow) or pa.types.is_date(arrow) else None


def _of_text(name: str, text: pa.ChunkedArray, time_format: str | None, timezone: str) -> ColumnFacts:
    few = text.slice(0, SAMPLE).drop_null().unique().to_pylist()
    if few and all(value.lower() in ("true", "false") for value in few) and (found := _tried(text, "boolean")) is not None:
        return _facts(name, found, "boolean", "every value is true or false")
    for kind, why in _NUMBERS:
        if _may_be(few, kind) and (found := _tried(text, kind)) is not None:
            if kind == "integer" and pc.any(pc.match_substring_regex(text, r"^[+-]?0\d")).as_py():
                return _facts(name, text, "category", "numbers with leading zeros, which a number would lose")
            return _facts(name, found, kind, why)
    if (times := _times(name, text, time_format, timezone)) is not None:
        return times
    return _two_types(name, text) or _other_numbers(name, text) or _facts(name, text, "category", "text")


def _may_be(few: list[str], kind: FeatureType) -> bool:
    """Whether the first values look like it: to try a whole column takes long."""
    known = [value for value in few if value not in NO_NUMBERS]
    return bool(known) and bool(pc.all(looks_like(pa.array(known), kind)).as_py())


def _tried(text: pa.ChunkedArray, kind: FeatureType) -> pa.ChunkedArray | None:
    try:
        found = as_type(text, kind)
    except NotOfType:
        return None
    return found if found.null_count < len(found) else None


def _times(name: str, text: pa.ChunkedArray, time_format: str | None, timezone: str) -> ColumnFacts | None:
    """A column of times, or one that has some; None: no value looks like one."""
    known = text.drop_null()
    sample = pa.chunked_array([known.slice(0, SAMPLE).unique()]) if len(known) <= SAMPLE else _spread(known)
    ways = writings(sample)
    if not ways and time_format is None:
        return None
    found: dict[str | None, pa.ChunkedArray] = {}
    for way in (time_format, *(None if way.way == ISO else way.way for way in ways if way.values == len(sample))):
        try:
            found[way] = as_type(text, "datetime", TimeWriting(way, timezone))
        except NotOfType:
            continue
        if way is not None and way == time_format:
            break  # stated: nothing is left open
    if not found:
        share = max(way.values for way in ways) / len(sample) if ways else 0.0
        return _problem(name, text, described(text)) if share >= MIXED_SHARE else None
    way, values = next(iter(found.items()))
    several = tuple(str(each) for each in found) if len(found) > 1 else ()
    no_zone = way is not None or not pc.any(zoned(text)).as_py()
    return _facts(name, values, "datetime", f"every value is a time ({way or 'ISO 8601'})", way, several, no_zone)


def _spread(known: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values from all over the column: a file may have been put together from several."""
    step = max(1, len(known) // SAMPLE)
    return pa.chunked_array([known.take(pa.array(range(0, len(known), step))).combine_chunks().unique()])


def _two_types(name: str, text: pa.ChunkedArray) -> ColumnFacts | None:
    """Numbers with something else among them: which of both is meant, only a person knows."""
    known = text.filter(pc.invert(pc.is_in(text, value_set=pa.array(NO_NUMBERS)))).drop_null()
    n = pc.sum(looks_like(known, "number")).as_py() or 0
    if n < MIXED_SHARE * len(known):
        return None
    numbers = pc.or_(pc.is_null(text), pc.or_(looks_like(text, "number"), pc.is_in(text, value_set=pa.array(NO_NUMBERS))))
    other = pc.invert(numbers)
    different = text.filter(other).unique()
    hint = f"--missing {_quoted(different[0].as_py())} if that means nothing, " if len(different) == 1 else ""
    told = f"holds two types: {n:,} numbers and {len(known) - n:,} other values, {examples(text, other)}"
    return _problem(name, text, f"{told}; say {hint}--type {_quoted(name)}=category, or --drop {_quoted(name)}")


def _other_numbers(name: str, text: pa.ChunkedArray) -> ColumnFacts | None:
    """Numbers as other countries write them: as a category they would mean nothing, and which comma is meant only a person knows."""
    known = text.filter(pc.invert(pc.is_in(text, value_set=pa.array(NO_NUMBERS)))).drop_null()
    fits = pc.or_(looks_like(known, "number"), pc.match_substring_regex(known, _WITH_COMMAS))
    if not len(known) or not pc.all(fits).as_py():
        return None
    told = f"holds numbers with commas, such as {known[0].as_py()!r}: write them with a point, and nothing between thousands"
    return _problem(name, text, f"{told}; or say --type {_quoted(name)}=category, or --drop {_quoted(name)}")


def _quoted(text: str) -> str:
    return text if text.replace("_", "").replace("-", "").isalnum() else f"'{text}'"


def _facts(
    name: str,
    values: pa.ChunkedArray,
    kind: FeatureType,
    why: str,
    written: str | None = None,
    ways: tuple[str, ...] = (),
    no_zone: bool = False,
) -> ColumnFacts:
    distinct = pc.count_distinct(values, mode="only_valid").as_py()
    return ColumnFacts(name, kind, values, values.null_count, distinct, why, None, written, ways, no_zone)


def _problem(name: str, column: pa.ChunkedArray, problem: str) -> ColumnFacts:
    return ColumnFacts(name, None, column, column.null_count, 0, "", problem)
