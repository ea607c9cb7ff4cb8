"""Feature rows as strangers send them, JSON objects or Arrow batches, turned into the columns of ``request_schema``.

JSON is decoded once, straight into typed rows. A batch is decoded as a whole; only when something in it is wrong are
its rows looked at one by one, so that one bad row costs its neighbours nothing but time.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.headers import is_arrow
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Time
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import decode_table, schema_in
from driftloop.rows.json_objects import JsonObjects
from driftloop.rows.limits import MAX_ID_BYTES, check_finite, check_id, check_ids, check_time, check_times
from driftloop.rows.schemas import request_schema

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_IDS = ("event_id", "entity")


class DecodedRows(NamedTuple):
    """What became of a batch of JSON values. ``accepted`` and ``rejected`` name positions in the batch."""

    rows: pa.Table  # of request_schema, in the order of `accepted`
    accepted: list[int]
    rejected: list[tuple[int, str]]  # with a reason that a person understands
    unknown_field_rows: int  # accepted rows that carried fields which the schema does not name


class RequestRows(NamedTuple):
    """The rows of one message; ``unknown_field_rows`` as above."""

    rows: pa.Table
    unknown_field_rows: int


class Requests(Protocol):
    """Decodes the requests of one stream, of our topic or of another."""

    schema: pa.Schema  # ``request_schema``

    def decode(self, record: Record) -> RequestRows:
        """The rows of one message. Raises InvalidMessage for the message as a whole."""

    def decode_records(self, records: Sequence[Record]) -> DecodedRows:
        """Of messages that are a row each: what ``decode`` gives each by itself."""

    def is_table(self, record: Record) -> bool:
        """Whether a message may hold many rows."""


class RequestDecoder:
    """Decodes the rows of one stream; keeps ``Requests``.

    A field that may be null is missing when it is; a required field must be there all the same. Unknown fields are
    ignored and counted. ``generated`` fills in what an HTTP caller may leave out: it gives an event id, and the time
    of decoding stands in for the event's.
    """

    def __init__(self, schema: StreamSchema, *, generated: Callable[[], str] | None = None) -> None:
        self.schema = request_schema(schema)
        self._optional = frozenset(f.name for f in schema.features if not f.required) | {"entity"}
        self._numbers = [f.name for f in self.schema if pa.types.is_floating(f.type)]
        self._times = [f.name for f in self.schema if pa.types.is_timestamp(f.type)]
        self._generated = generated
        fields: dict[str, Any] = {"event_id": _Text, "event_time": Time, "entity": _Text | None}
        optional = set(self._optional)
        if generated:
            fields |= {"event_id": _Text | None, "event_time": Time | None}
            optional |= {"event_id", "event_time"}
        fields |= {f.name: COLUMN_TYPES[f.type].json | None for f in schema.features}
        self._objects = JsonObjects(fields, optional)
        self._limited = [
            (name, check_id if name in _IDS else check_time, get)
            for name, get in zip(fields, self._objects.columns, strict=True)
            if name in _IDS or name in self._times
        ]

    def decode(self, record: Record) -> RequestRows:
        """The rows of one message, JSON or Arrow as its headers say. Raises InvalidMessage for the message as a whole."""
        if is_arrow(record.headers):
            return self._arrow(record.value, record.key)
        row, has_unknown = self._row(record.value)
        return RequestRows(self._table([row], [record.key]), int(has_unknown))

    def check(self, value: bytes | None) -> None:
        """Raises InvalidMessage where ``decode`` would for this JSON object; makes no table of it, which takes ten times as long."""
        self._row(value)

    def decode_records(self, records: Sequence[Record]) -> DecodedRows:
        return self.decode_batch([record.value for record in records], [record.key for record in records])

    def is_table(self, record: Record) -> bool:
        return is_arrow(record.headers)

    def decode_batch(self, values: Sequence[Any], keys: Sequence[bytes | None]) -> DecodedRows:
        """Rows of JSON objects, one per value (bytes, or msgspec.Raw): what ``decode`` gives each by itself. ``keys`` are the
        message keys, which stand in for entities."""
        try:
            rows, unknown = self._objects.decode_all(values)
            return DecodedRows(self._table(rows, keys), list(range(len(rows))), [], unknown)
        except UNDECODABLE:  # InvalidMessage is among them
            return self._one_by_one(values, keys)

    def _arrow(self, data: bytes | None, key: bytes | None) -> RequestRows:
        table = decode_table(data, self.schema, optional=self._optional, ignore_unknown=True)
        unknown = bool(set(schema_in(data).names) - set(self.schema.names))
        for name in self._numbers:
            check_finite(table.column(name), name)
        self._check(table)
        entity = table.column("entity")
        if entity.null_count:
            stand_in = _text(key)
            filled = pc.fill_null(entity, stand_in) if stand_in else pc.coalesce(entity, table.column("event_id"))
            table = table.set_column(table.schema.get_field_index("entity"), self.schema.field("entity"), filled)
        return RequestRows(table, table.num_rows if unknown else 0)

    def _one_by_one(self, values: Sequence[Any], keys: Sequence[bytes | None]) -> DecodedRows:
        rows: list[Any] = []
        accepted: list[int] = []
        rejected: list[tuple[int, str]] = []
        unknown = 0
        for i, value in enumerate(values):
            try:
                row, has_unknown = self._row(value)
            except InvalidMessage as exc:
                rejected.append((i, str(exc)))
                continue
            rows.append(row)
            accepted.append(i)
            unknown += has_unknown
        return DecodedRows(self._table(rows, [keys[i] for i in accepted]), accepted, rejected, unknown)

    def _row(self, value: Any) -> tuple[Any, bool]:
        """A row within the limits that ``_check`` has for a table."""
        row, has_unknown = self._objects.decode(value)
        for name, check, get in self._limited:
            if (found := get(row)) is not None:
                check(found, name)
        return row, has_unknown

    def _table(self, rows: list[Any], keys: Sequence[bytes | None]) -> pa.Table:
        columns = [list(map(get, rows)) for get in self._objects.columns]
        ids, times, entities = columns[0], columns[1], columns[2]
        if self._generated and (None in ids or None in times):
            now = datetime.now(UTC)
            columns[0] = ids = [self._generated() if i is None else i for i in ids]
            columns[1] = [now if t is None else t for t in times]
        if None in entities:
            columns[2] = [e or _text(k) or i for e, k, i in zip(entities, keys, ids, strict=True)]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        self._check(table)
        return table

    def _check(self, table: pa.Table) -> None:
        for name in _IDS:
            check_ids(table.column(name), name)
        for name in self._times:
            check_times(table.column(name), name)


def _text(key: bytes | None) -> str | None:
    """A message key as an entity: None when it is no text of a sensible length."""
    if not key or len(key) > MAX_ID_BYTES:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None
