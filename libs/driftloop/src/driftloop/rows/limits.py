"""Times that Python can hold, in any time zone; what lies outside would stop a later step."""

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.values import EARLIEST, LATEST
from driftloop.errors import InvalidMessage

_EARLIEST_US, _LATEST_US = int(EARLIEST.timestamp()) * 1_000_000, int(LATEST.timestamp()) * 1_000_000


def check_times(column: pa.ChunkedArray, name: str) -> None:
    """Raises InvalidMessage when a time of the column is outside of the calendar."""
    span = pc.min_max(column.cast(pa.int64())).as_py()
    if span["min"] is not None and (span["min"] < _EARLIEST_US or span["max"] > _LATEST_US):
        raise InvalidMessage(f"column {name!r} holds a time that is not between the years 1 and 9999")
