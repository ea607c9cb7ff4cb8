"""Values of a file as a declared type; text is read as it is meant, and what cannot be is told with its row."""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import FeatureType
from driftloop.datafile.reading import is_text
from driftloop.datafile.times import Unreadable, moments
from driftloop.rows.schemas import ARROW_TYPES

TRUE_WORDS, FALSE_WORDS = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
# What stands for a missing number in many files, beside nothing at all. As a category each of them is a word like others.
NO_NUMBERS = ("NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "1.#IND", "-1.#IND")
SHOWN_EXAMPLES = 3
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d+$"


class NotOfType(ValueError):
    """Some values are not of the type; the message counts them and names rows."""


class TimeWriting(NamedTuple):
    """How a column of text is a time (``datafile.times``)."""

    written: str | None = None
    timezone: str = "UTC"


def as_type(column: pa.ChunkedArray, kind: FeatureType, writing: TimeWriting = TimeWriting()) -> pa.ChunkedArray:  # noqa: B008 - immutable
    """In the stream's Arrow type; not a number is missing, as on the wire. Raises NotOfType."""
    match kind:
        case "datetime":
            try:
                return moments(column, writing.written, writing.timezone)
            except Unreadable as exc:
                raise NotOfType(str(exc)) from exc
        case "number" | "integer" | "boolean" | "category":
            return _plain(column, kind)
        case _:
            assert_never(kind)


def _plain(column: pa.ChunkedArray, kind: FeatureType) -> pa.ChunkedArray:
    to = ARROW_TYPES[kind]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    if column.type == to:
        return column
    if is_text(column):
        return _of_text(column, kind)
    try:
        if kind == "boolean":
            return column.cast(pa.int64()).cast(to)  # 0 and 1
        return column.cast(to)
    except pa.ArrowException as exc:
        raise NotOfType(f"holds {column.type}, which is not {to} in every row: {exc}") from exc


def _of_text(text: pa.ChunkedArray, kind: FeatureType) -> pa.ChunkedArray:
    known = pc.if_else(pc.is_in(text, value_set=pa.array(NO_NUMBERS)), pa.scalar(None, pa.string()), text)
    if kind == "boolean":
        lower = pc.utf8_lower(known)
        true, false = (pc.is_in(lower, value_set=pa.array(words)) for words in (TRUE_WORDS, FALSE_WORDS))
        wrong = pc.and_(pc.is_valid(known), pc.invert(pc.or_(true, false)))
        if pc.any(wrong).as_py():
            raise NotOfType(_told(text, wrong, kind))
        return pc.if_else(pc.is_valid(known), true, pa.scalar(None, pa.bool_()))
    try:
        found = known.cast(ARROW_TYPES[kind])
    except pa.ArrowException:
        raise NotOfType(_told(text, pc.and_(pc.is_valid(known), pc.invert(looks_like(known, kind))), kind)) from None
    return pc.if_else(pc.is_finite(found), found, pa.scalar(None, found.type)) if kind == "number" else found


def looks_like(text: pa.ChunkedArray, kind: FeatureType) -> pa.ChunkedArray:
    """Which values are numbers, or whole ones, by how they are written."""
    return pc.fill_null(pc.match_substring_regex(text, _WHOLE if kind == "integer" else _NUMBER), False)


def _told(text: pa.ChunkedArray, wrong: pa.ChunkedArray, kind: FeatureType) -> str:
    """Names ``kind`` by Arrow's name, as for columns that are no text."""
    n = pc.sum(wrong).as_py() or 0
    return f"holds {text.type}, which is not {ARROW_TYPES[kind]} in every row: {n:,} of {len(text):,} are not, {examples(text, wrong)}"


def examples(text: pa.ChunkedArray, wrong: pa.ChunkedArray, n: int = SHOWN_EXAMPLES) -> str:
    """The first different values that ``wrong`` marks, each with its row, from 1."""
    rows = pc.indices_nonzero(wrong)
    found: dict[str, int] = {}
    for row in rows[: 100 * n].to_pylist():
        found.setdefault(str(text[row].as_py())[:40], row + 1)
        if len(found) == n:
            break
    return "such as " + ", ".join(f"{value!r} in row {row:,}" for value, row in found.items()) if found else "here and there"


def words(values: Sequence[str]) -> bool:
    """Whether all of them, whatever their case, say yes or no."""
    return all(value.lower() in (*TRUE_WORDS, *FALSE_WORDS) for value in values)
