"""Rows written as CSV, JSON lines, one JSON array, Parquet or Arrow, batch by batch."""

import base64
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from driftloop.errors import UserError

Format = Literal["csv", "jsonl", "json", "parquet", "arrow"]
FORMATS: tuple[str, ...] = get_args(Format)
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
BINARY = frozenset({"parquet", "arrow"})


def format_of(path: Path) -> Format:
    """The format that a file's name promises. Raises UserError."""
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise UserError(f"{path.name!r} does not say its format: end it in {', '.join(_SUFFIXES)}, or give --format") from None


def write_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema, sink: BinaryIO, form: Format) -> int:
    """How many rows were written. Arrow is written as an IPC stream, which every Arrow reader tells apart from a file."""
    written = 0
    with _WRITERS[form](schema, sink) as writer:
        for batch in batches:
            writer.write(batch)
            written += batch.num_rows
    return written


class _Csv:
    """A row's class probabilities are a JSON object in their field."""

    def __init__(self, schema: pa.Schema, sink: BinaryIO) -> None:
        self._maps = [i for i, field in enumerate(schema) if pa.types.is_map(field.type)]
        for i in self._maps:
            schema = schema.set(i, schema.field(i).with_type(pa.string()))
        self._schema, self._writer = schema, pa_csv.CSVWriter(sink, schema)

    def __enter__(self) -> "_Csv":
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_objects(column) if i in self._maps else column for i, column in enumerate(batch.columns)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _objects(maps: pa.Array) -> pa.Array:
    values = maps.to_pylist(maps_as_pydicts="strict")
    return pa.array([None if value is None else msgspec.json.encode(value).decode() for value in values], pa.string())


class _Json:
    """JSON objects, one a line, or in one array. Times as ISO 8601 in UTC, missing values as null, class probabilities as objects."""

    def __init__(self, sink: BinaryIO, *, array: bool) -> None:
        self._sink, self._array, self._first = sink, array, True
        self._encode = msgspec.json.Encoder(enc_hook=_encoded).encode

    def __enter__(self) -> "_Json":
        if self._array:
            self._sink.write(b"[")
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        lines = map(self._encode, batch.to_pylist(maps_as_pydicts="strict"))
        if not self._array:
            self._sink.write(b"".join(line + b"\n" for line in lines))
            return
        for line in lines:
            self._sink.write(b"\n" if self._first else b",\n")
            self._sink.write(line)
            self._first = False

    def __exit__(self, *_: object) -> None:
        if self._array:
            self._sink.write(b"\n]\n")


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


_WRITERS: dict[str, Callable[[pa.Schema, BinaryIO], Any]] = {
    "csv": _Csv,
    "jsonl": lambda schema, sink: _Json(sink, array=False),
    "json": lambda schema, sink: _Json(sink, array=True),
    "parquet": lambda schema, sink: _Parquet(schema, sink),
    "arrow": lambda schema, sink: pa.ipc.new_stream(sink, schema),
}


class _Parquet:
    def __init__(self, schema: pa.Schema, sink: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd")

    def __enter__(self) -> "_Parquet":
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def __exit__(self, *_: object) -> None:
        self._writer.close()
