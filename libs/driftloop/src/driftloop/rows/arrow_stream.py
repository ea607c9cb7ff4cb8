"""Data plane: Arrow IPC streams, read with suspicion.

Strangers may send these bytes, so the declared size of every compressed buffer is added up before anything is
decompressed, and the schema must be the expected one to the letter (order of columns aside).
"""

import struct

import pyarrow as pa

from driftloop.errors import InvalidMessage

MAX_DECODED_BYTES = 64 * 1024 * 1024
MAX_ROWS = 100_000


def encode_table(rows: pa.Table | pa.RecordBatch) -> bytes:
    """One Arrow IPC stream, uncompressed (Kafka compresses whole batches)."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def schema_in(data: bytes | None) -> pa.Schema:
    """The schema that an IPC stream begins with. Raises InvalidMessage."""
    if data is None:
        raise InvalidMessage("null value where an Arrow stream was expected")
    try:
        with pa.ipc.open_stream(data) as reader:
            _ = reader.schema.names  # strings; broken UTF-8 shows here
            return reader.schema
    except (pa.ArrowException, OSError, EOFError, ValueError, KeyError) as exc:
        raise InvalidMessage(f"not a readable Arrow stream: {exc}") from exc


def decode_table(
    data: bytes | None, schema: pa.Schema, *, optional: frozenset[str] = frozenset(), ignore_unknown: bool = False
) -> pa.Table:
    """Rows of an IPC stream with exactly ``schema``'s columns, in its order; columns in ``optional`` may be absent (null),
    and with ``ignore_unknown`` others may be there.

    Raises InvalidMessage for anything else, for more than MAX_ROWS rows, for more than MAX_DECODED_BYTES decoded, and
    for nulls in a column that has none.
    """
    if data is None:
        raise InvalidMessage("null value where an Arrow stream was expected")
    _refuse_bombs(data)
    try:
        with pa.ipc.open_stream(data) as reader:
            as_expected = reader.schema.equals(schema)
            if not as_expected:
                _refuse_other_schema(reader.schema, schema, optional, ignore_unknown)
            batches, n_rows = [], 0
            for batch in reader:
                n_rows += batch.num_rows
                if n_rows > MAX_ROWS:
                    raise InvalidMessage(f"more than {MAX_ROWS} rows in one message")
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
    except InvalidMessage:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, KeyError) as exc:  # all that a damaged stream has been seen to raise
        raise InvalidMessage(f"not a readable Arrow stream: {exc}") from exc
    if as_expected:  # the rule between our own services; comparing by name costs as much as reading
        columns = table.columns
    else:
        names = set(table.column_names)
        columns = [table.column(f.name) if f.name in names else pa.nulls(table.num_rows, f.type) for f in schema]
    for field, column in zip(schema, columns, strict=True):
        if not field.nullable and column.null_count:
            raise InvalidMessage(f"column {field.name!r} has nulls")
    return pa.Table.from_arrays(columns, schema=schema)


def _refuse_other_schema(found: pa.Schema, expected: pa.Schema, optional: frozenset[str], ignore_unknown: bool) -> None:
    have, want = set(found.names), set(expected.names)
    if len(have) != len(found.names):
        raise InvalidMessage("the Arrow schema names a column twice")
    missing = [name for name in expected.names if name not in have and name not in optional]
    unknown = [] if ignore_unknown else [name for name in found.names if name not in want]
    if missing or unknown:
        parts = [f"missing columns {missing}" if missing else "", f"unknown columns {unknown}" if unknown else ""]
        raise InvalidMessage("another Arrow schema: " + "; ".join(filter(None, parts)))
    for name in have & want:
        if found.field(name).type != expected.field(name).type:
            raise InvalidMessage(f"another Arrow schema: column {name!r} is {found.field(name).type}, expected {expected.field(name).type}")


def _refuse_bombs(data: bytes) -> None:
    """Walk the encapsulated messages and add up what their bodies would decode to, decompressing nothing.

    Format: https://arrow.apache.org/docs/format/Columnar.html (encapsulated message, BodyCompression); the metadata is a
    flatbuffer, of which only the record batch's compression and buffers are read.
    """
    total, at = 0, 0
    try:
        while at + 8 <= len(data):
            continuation, size = struct.unpack_from("<Ii", data, at)
            if continuation != 0xFFFFFFFF:
                raise InvalidMessage("not an Arrow IPC stream")
            at += 8
            if size == 0:
                return
            body_length, sizes = _declared_sizes(data[at : at + size], data, at + size)
            total += sizes
            if total > MAX_DECODED_BYTES:
                raise InvalidMessage(f"the Arrow stream would decode to more than {MAX_DECODED_BYTES} bytes")
            if size < 0 or body_length < 0:
                raise InvalidMessage("negative length in the Arrow stream")
            at += size + body_length
    except (struct.error, IndexError) as exc:
        raise InvalidMessage("truncated Arrow stream") from exc


def _declared_sizes(metadata: bytes, data: bytes, body_at: int) -> tuple[int, int]:
    root = struct.unpack_from("<I", metadata, 0)[0]
    header_type = _scalar(metadata, root, 1, "<B", 0)
    body_length = _scalar(metadata, root, 3, "<q", 0)
    if header_type not in (2, 3):  # DictionaryBatch, RecordBatch; a schema has no body
        return body_length, 0
    batch = _table(metadata, root, 2)
    if header_type == 2:
        batch = _table(metadata, batch, 1)
    if not _slot(metadata, batch, 3):
        return body_length, body_length
    vector = _table(metadata, batch, 2)
    count = struct.unpack_from("<I", metadata, vector)[0]
    total = 0
    for i in range(count):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * i)
        if length >= 8:
            declared = struct.unpack_from("<q", data, body_at + offset)[0]
            total += length if declared == -1 else declared  # -1: this buffer was left uncompressed
            if declared < -1:
                raise InvalidMessage("negative length in the Arrow stream")
    return body_length, total


def _slot(buffer: bytes, table: int, slot: int) -> int:
    """Position of a flatbuffer table's field, 0 when absent."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0 or 4 + 2 * slot >= struct.unpack_from("<H", buffer, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", buffer, vtable + 4 + 2 * slot)[0]
    return table + offset if offset else 0


def _scalar(buffer: bytes, table: int, slot: int, layout: str, default: int) -> int:
    at = _slot(buffer, table, slot)
    return int(struct.unpack_from(layout, buffer, at)[0]) if at else default


def _table(buffer: bytes, table: int, slot: int) -> int:
    at = _slot(buffer, table, slot)
    if not at:
        raise InvalidMessage("a part of the Arrow metadata is missing")
    return at + int(struct.unpack_from("<I", buffer, at)[0])
