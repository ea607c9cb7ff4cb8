"""Arrow tables of applications: brought to the types that messages have where that loses nothing, completed, and split by partition."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.errors import InvalidMessage
from driftloop.rows.schemas import TIME

_IDS = ("event_id", "entity")


def completed(rows: pa.Table, schema: pa.Schema, now: datetime) -> pa.Table:
    """With an id for each row that has none, ``now`` for an event time that is missing, and types as ``schema`` has them.

    A column whose type says something else stays as it is, so that the decoder refuses it. Raises InvalidMessage for values that
    the type of the message cannot hold.
    """
    if len(set(rows.column_names)) != rows.num_columns:
        raise InvalidMessage("the table names a column twice")
    columns = {name: _as_declared(rows.column(name), schema, name) for name in rows.column_names}
    n = rows.num_rows
    if _missing(columns.get("event_id")):
        columns["event_id"] = _filled(columns.get("event_id"), pa.array([new_id() for _ in range(n)], pa.string()))
    if _missing(columns.get("event_time")):
        columns["event_time"] = _filled(columns.get("event_time"), pa.array([now] * n, TIME))
    if columns["event_id"].type == pa.string() and _missing(columns.get("entity")):
        columns["entity"] = _filled(columns.get("entity"), columns["event_id"])
    return pa.table(columns)


def new_id() -> str:
    return str(uuid.uuid4())


def by_partition(rows: pa.Table, partition_of: Callable[[bytes], int]) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each partition, in their order; those of one entity are in one."""
    entities = rows.column("entity").combine_chunks().dictionary_encode()
    partitions = np.array([partition_of(entity.encode()) for entity in entities.dictionary.to_pylist()], dtype=np.int64)
    of_rows = partitions[entities.indices.to_numpy()]
    for partition in np.unique(of_rows).tolist():
        yield partition, rows.take(np.flatnonzero(of_rows == partition))


def _as_declared(column: pa.ChunkedArray, schema: pa.Schema, name: str) -> pa.ChunkedArray:
    if name not in schema.names or column.type == schema.field(name).type:
        return column
    wanted = schema.field(name).type
    if not _alike(column.type, wanted):
        return column
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid as exc:
        raise InvalidMessage(f"field {name!r}: {exc}") from exc


def _alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        return _alike(found.value_type, wanted) or bool(found.value_type == wanted)
    if pa.types.is_string(wanted):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(found) and found.tz is not None)
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found))
    return bool(pa.types.is_integer(wanted) and pa.types.is_integer(found))


def _missing(column: pa.ChunkedArray | None) -> bool:
    return column is None or column.null_count > 0


def _filled(column: pa.ChunkedArray | None, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if column is None:
        return values
    return pc.coalesce(column, values) if column.type == values.type else column
