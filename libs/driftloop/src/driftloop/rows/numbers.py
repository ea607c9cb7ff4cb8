"""A column's values as numbers: one conversion for training, scoring, profiles and the traffic that is counted by them."""

from typing import assert_never

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.rows.schemas import kind_of


def as_numbers(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """The column as float64, null where a value is missing. Raises TypeError for one whose values have no order.

    Booleans are 0 and 1. Integers beyond 2**53 lose their last digits, alike in training and traffic.
    """
    kind = kind_of(column.type)
    match kind:
        case "number":
            return column
        case "integer" | "boolean" | None:  # None: of another writer's table
            return pc.cast(column, pa.float64(), safe=False)
        case "category":
            raise TypeError("categories have no order, so they are no numbers")
        case _:
            assert_never(kind)
