"""A column's values as numbers: one conversion for training, scoring, profiles and the traffic that is counted by them."""

from typing import TypeAlias, assert_never, cast

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import DatetimePart
from driftloop.rows.schemas import kind_of

Column: TypeAlias = "pa.ChunkedArray | pa.Array"
_SECOND_US, _DAY_US = 1e6, 86_400e6


def as_numbers(column: Column) -> Column:
    """The column as float64, null where a value is missing. Raises TypeError for one whose values have no order.

    Booleans are 0 and 1; times are seconds since 1970-01-01T00:00:00Z. Integers beyond 2**53 lose their last digits, and
    times far from today their microseconds, alike in training and traffic.
    """
    kind = kind_of(column.type)
    match kind:
        case "number":
            return column
        case "integer" | "boolean" | None:  # None: of another writer's table
            return _floats(column)
        case "datetime":
            return pc.divide(_floats(column.cast(pa.int64())), _SECOND_US)
        case "category":
            raise TypeError("categories have no order, so they are no numbers")
        case _:
            assert_never(kind)


def input_column(rows: pa.Table | pa.RecordBatch, name: str) -> Column:
    """What a model is given under one of ``Feature.inputs``: a feature's own column, or a part of its times (float64)."""
    feature, _, part = name.partition(".")
    column = rows.column(feature)
    return _part(column, cast(DatetimePart, part)) if part else column


def _part(column: Column, part: DatetimePart) -> Column:
    micros = column.cast(pa.int64())
    at = micros.cast(pa.timestamp("us"))  # in UTC, and without its name: no table of zones is asked
    match part:
        case "year":
            return _floats(pc.year(at))
        case "month":
            return _floats(pc.month(at))
        case "day":
            return _floats(pc.day(at))
        case "day_of_year":
            return _floats(pc.day_of_year(at))
        case "weekday":
            return _floats(pc.day_of_week(at, count_from_zero=True, week_start=1))
        case "hour":
            return _floats(pc.hour(at))
        case "minute":
            return _floats(pc.minute(at))
        case "second":
            return _floats(pc.second(at))
        case "epoch_days":
            return pc.divide(_floats(micros), _DAY_US)
        case _:
            assert_never(part)


def _floats(column: Column) -> Column:
    return pc.cast(column, pa.float64(), safe=False)
