"""Data files: Parquet, named by the sha256 of its bytes. A flush's file holds one partition's rows and is named by their
first offset too; a compaction's holds the rows of the files that it replaces.

What a file says about itself is in its schema's metadata: the topic id of its rows, and of a compaction's file the first
file that it replaces.
"""

import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from driftloop.contracts.headers import format_time
from driftloop.contracts.values import Part
from driftloop.errors import ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.rows.stored_columns import stored_as

T = TypeVar("T")
R = TypeVar("R")
_CONNECTIONS = 8
_BOUND_CHARACTERS = 128  # every handle keeps the bounds of all files in memory
_FLUSHED = re.compile(r"(?P<partition>\d+)/(?P<offset>\d+)-(?P<sha256>[0-9a-f]{64})\.parquet")
_COMPACTED = re.compile(r"compacted/(?P<sha256>[0-9a-f]{64})\.parquet")
TOPIC_ID, FIRST_INPUT = "driftloop.topic-id", "driftloop.first-input"
_COUNTERS = ("offset", "request_offset")
# What files are looked up by. The log holds the statistics of every file, and a feature's would be looked at by nobody.
LOOKED_UP = ("event_id", "event_time", "label_time", "model_version", "partition", "offset", "request_offset")
_ROW_GROUP = 65_536  # rows; those of a compaction's file are in order of time, so a reader of an interval skips most groups


class FileName(NamedTuple):
    """What a path says. ``partition`` and ``first_offset`` are null for a compaction's file."""

    sha256: str
    partition: int | None
    first_offset: int | None


class DataFile(Part, frozen=True, kw_only=True):
    """A file and its bytes, kept until the commit that names it is known to have landed."""

    path: str  # below the table's root
    partition: int | None  # null: a compaction's, of several
    sha256: str
    rows: int
    stats: str  # JSON, as the Delta protocol has it
    data: bytes
    event_time_min: datetime
    event_time_max: datetime

    def add_action(self, *, data_change: bool = True) -> AddAction:
        return AddAction(self.path, len(self.data), {}, int(time.time() * 1000), data_change, self.stats)


def encode_file(rows: pa.Table, *, topic_id: str, partition: int, first_offset: int) -> DataFile:
    """The same rows give the same bytes, hence the same name. ``rows`` holds at least one."""
    # The topic id is in the bytes, so that equal rows of a recreated topic, whose offsets start again, are another file.
    return _encode(rows, {TOPIC_ID: topic_id}, partition, f"{partition}/{first_offset}-")


def encode_compacted(rows: pa.Table, *, topic_id: str, first_input: str) -> DataFile:
    """A file that takes the place of others. ``rows`` are in order of time; ``first_input`` is the path of one of the others."""
    return _encode(rows, {TOPIC_ID: topic_id, FIRST_INPUT: first_input}, None, "compacted/")


def _encode(rows: pa.Table, says: dict[str, str], partition: int | None, prefix: str) -> DataFile:
    rows = rows.replace_schema_metadata(says)
    encodings = _encodings(rows.schema)
    strings = [f.name for f in rows.schema if pa.types.is_string(f.type) and f.name not in encodings]
    strings += [f"{f.name}.key_value.key" for f in rows.schema if pa.types.is_map(f.type)]  # the same classes in every row
    sink = io.BytesIO()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=strings,
        column_encoding=encodings,
        row_group_size=_ROW_GROUP,
    )
    data = sink.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    span = pc.min_max(rows.column("event_time")).as_py()
    return DataFile(
        path=f"{prefix}{sha256}.parquet",
        partition=partition,
        sha256=sha256,
        rows=rows.num_rows,
        stats=json.dumps(_stats(rows), separators=(",", ":"), allow_nan=False),
        data=data,
        event_time_min=span["min"],
        event_time_max=span["max"],
    )


def _encodings(schema: pa.Schema) -> dict[str, str]:
    """Of columns whose values are no words of a dictionary but near the value before: a seventh of a file, for no time."""
    found = {f.name: "DELTA_BINARY_PACKED" for f in schema if f.name in _COUNTERS or pa.types.is_timestamp(f.type)}
    return found | ({"event_id": "DELTA_BYTE_ARRAY"} if "event_id" in schema.names else {})


def put_files(store: ObjectStore, root: str, files: Sequence[DataFile]) -> None:
    """Store files under the table's root key, side by side. Safe to repeat. Raises TransientError."""
    in_parallel(lambda file: store.put(f"{root}/{file.path}", file.data), files)


def intact_files(store: ObjectStore, root: str, files: Sequence[DataFile]) -> list[bool]:
    """Whether the store shows each file in its full size. Raises TransientError."""

    def intact(file: DataFile) -> bool:
        try:
            return store.stat(f"{root}/{file.path}").size == len(file.data)
        except ObjectNotFound:
            return False

    return in_parallel(intact, files)


def in_parallel(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results in the items' order; the store answers several calls in the time of one."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(len(items), _CONNECTIONS)) as pool:
        return list(pool.map(work, items))


def file_name(path: str) -> FileName | None:
    """What a path below a table's root says; None for files that others wrote."""
    if match := _FLUSHED.fullmatch(path):
        return FileName(match["sha256"], int(match["partition"]), int(match["offset"]))
    match = _COMPACTED.fullmatch(path)
    return FileName(match["sha256"], None, None) if match else None


def sha256_in_name(path: str) -> str | None:
    """The digest that a file's name promises; None for files that others wrote."""
    name = file_name(path)
    return None if name is None else name.sha256


def leaf_index(file: pq.ParquetFile, column: str) -> int:
    """Where a row group has the column's statistics; -1: nowhere. A map before it takes two places, so its number among the
    columns does not say."""
    return next((i for i in range(len(file.schema)) if file.schema.column(i).path == column), -1)


def conformed(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Rows of a file under its table's schema, or under a stream's: a column that the file does not have is null."""
    stored = {f.name: stored_as(f, rows.schema) for f in wanted}
    columns = [rows.column(name).cast(f.type) if (name := stored[f.name]) else pa.nulls(rows.num_rows, f.type) for f in wanted]
    return pa.Table.from_arrays(columns, schema=wanted)


def _stats(rows: pa.Table) -> dict[str, Any]:
    """Of the columns that files are looked up by. The table declares them (``lake.delta``): of a column that is declared and
    has no bounds, delta-rs makes ``>= null``, and a filter on it finds no rows."""
    lower, upper, nulls = {}, {}, {}
    for name in LOOKED_UP:
        if name not in rows.column_names:
            continue
        column = rows.column(name)
        nulls[name] = column.null_count
        if column.null_count < len(column):
            span = pc.min_max(column).as_py()
            lower[name], upper[name] = _bound(span["min"], -1), _bound(span["max"], 1)
    return {"numRecords": rows.num_rows, "minValues": lower, "maxValues": upper, "nullCount": nulls}


def _bound(value: Any, side: int) -> Any:
    """A lower (-1) or upper (1) bound of a column as JSON has it; it may be wider than the column, never narrower."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, str) and len(value) > _BOUND_CHARACTERS:
        return value[:_BOUND_CHARACTERS] + ("\U0010ffff" if side > 0 else "")
    return value
