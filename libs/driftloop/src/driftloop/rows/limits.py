"""Limits that all rows keep, whoever sends them: how long an id may be, and times that Python can hold in any time zone.


Each is there twice, for one value and for a column, and says the same of both.
"""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.values import EARLIEST, LATEST
from driftloop.errors import InvalidMessage

MAX_ID_BYTES = 512
_EARLIEST_US, _LATEST_US = int(EARLIEST.timestamp()) * 1_000_000, int(LATEST.timestamp()) * 1_000_000
_BYTES_A_CHARACTER = 4  # at most


def check_id(text: str, name: str) -> None:
    """Raises InvalidMessage when a text is too long to be an id, or empty."""
    if not text or len(text) * _BYTES_A_CHARACTER > MAX_ID_BYTES:
        _check_size(len(text.encode()), name)


def check_ids(column: pa.ChunkedArray, name: str) -> None:
    """The same for all texts of a column; null is no text."""
    sizes = pc.min_max(pc.binary_length(column)).as_py()
    for size in (sizes["min"], sizes["max"]):
        if size is not None:
            _check_size(size, name)


def check_time(time: datetime, name: str) -> None:
    """Raises InvalidMessage when a time is outside of the calendar."""
    if not EARLIEST <= time <= LATEST:
        raise _outside(name)


def check_times(column: pa.ChunkedArray, name: str) -> None:
    """The same for all times of a column, in microseconds; null is no time."""
    span = pc.min_max(column.cast(pa.int64())).as_py()
    if span["min"] is not None and (span["min"] < _EARLIEST_US or span["max"] > _LATEST_US):
        raise _outside(name)


def check_finite(column: pa.ChunkedArray, name: str) -> None:
    """Raises InvalidMessage when a number of the column is NaN or infinite; null is no number. JSON has neither."""
    if not pc.all(pc.is_finite(column), min_count=0).as_py():
        raise InvalidMessage(f"field {name!r} holds NaN or infinity: send finite numbers (a missing feature is null)")


def _check_size(size: int, name: str) -> None:
    if not size:
        raise InvalidMessage(f"field {name!r} is empty")
    if size > MAX_ID_BYTES:
        raise InvalidMessage(f"field {name!r} is {size} bytes long; at most {MAX_ID_BYTES}")


def _outside(name: str) -> InvalidMessage:
    return InvalidMessage(f"field {name!r} is not between the years 1 and 9999")
