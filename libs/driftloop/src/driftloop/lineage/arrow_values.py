"""Arrow values as Python's own and back. pyarrow loads pandas for a time, and to make a scalar: a fifth of a trace's second."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_values(column: pa.ChunkedArray | pa.Array) -> Sequence[Any]:
    """Times as aware datetimes in UTC, to the microsecond; maps as dicts; everything else as ``to_pylist`` has it."""
    if not pa.types.is_timestamp(column.type):
        return column.to_pylist(maps_as_pydicts="strict")  # type: ignore[no-any-return]
    micros = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False).cast(pa.int64()).to_pylist()
    return [None if value is None else _EPOCH + timedelta(microseconds=value) for value in micros]


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """A dict per row."""
    columns = [plain_values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def plain_text(value: str) -> pa.Scalar:
    """A string scalar."""
    data = value.encode()
    buffers = [None, pa.py_buffer(struct.pack("=ii", 0, len(data))), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), 1, buffers)[0]
