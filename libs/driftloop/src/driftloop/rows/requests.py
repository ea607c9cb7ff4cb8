"""Feature rows as strangers send them, JSON objects or Arrow batches, turned into the columns of ``request_schema``.

JSON is decoded once, straight into typed rows. A batch is decoded as a whole; only when something in it is wrong are
its rows looked at one by one, so that one bad row costs its neighbours nothing but time.
"""

import re
from collections.abc import Callable, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.schema import FeatureType, StreamSchema
from driftloop.contracts.values import Time
from driftloop.errors import InvalidMessage
from driftloop.rows.arrow_stream import decode_table, schema_in
from driftloop.rows.schemas import request_schema

MAX_ID_BYTES = 512

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_JSON_TYPES: dict[FeatureType, Any] = {"number": float | None, "integer": _Integer | None, "boolean": bool | None, "category": str | None}
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)
# A day inside what datetime can hold, so that no later conversion to any time zone overflows.
_EARLIEST = datetime(MINYEAR, 1, 2, tzinfo=UTC)
_LATEST = datetime(MAXYEAR, 12, 30, tzinfo=UTC)


class DecodedRows(NamedTuple):
    """What became of a batch of JSON values. ``accepted`` and ``rejected`` name positions in the batch."""

    rows: pa.Table  # of request_schema, in the order of `accepted`
    accepted: list[int]
    rejected: list[tuple[int, str]]  # with a reason that a person understands
    unknown_field_rows: int  # accepted rows that carried fields which the schema does not name


class ArrowRows(NamedTuple):
    """The rows of one Arrow message; ``unknown_field_rows`` as above."""

    rows: pa.Table
    unknown_field_rows: int


class RowDecoder:
    """Decodes the rows of one stream.

    A field that may be null is missing when it is; a required field must be there all the same. Unknown fields are
    ignored and counted. ``generated`` fills in what an HTTP caller may leave out: it gives an event id, and the time
    of decoding stands in for the event's.
    """

    def __init__(self, schema: StreamSchema, *, generated: Callable[[], str] | None = None) -> None:
        self.schema = request_schema(schema)
        self._optional = frozenset(f.name for f in schema.features if not f.required) | {"entity"}
        self._numbers = [f.name for f in schema.features if f.type == "number"]
        self._generated = generated
        # Fields are called f0, f1, …: a feature may have a name that Python keeps for itself.
        names = [*self.schema.names]
        types: dict[str, Any] = {"event_id": _Text, "event_time": Time, "entity": _Text | None}
        optional = set(self._optional)
        if generated:
            types |= {"event_id": _Text | None, "event_time": Time | None}
            optional |= {"event_id", "event_time"}
        types |= {f.name: _JSON_TYPES[f.type] for f in schema.features}
        fields = [(f"f{i}", types[n], None) if n in optional else (f"f{i}", types[n]) for i, n in enumerate(names)]
        rename = {f"f{i}": n for i, n in enumerate(names)}

        def decoder(*, strict: bool) -> Callable[[Any], Any]:
            row = msgspec.defstruct("Row", fields, rename=rename, kw_only=True, gc=False, forbid_unknown_fields=strict)
            return msgspec.json.Decoder(row).decode

        self._strict, self._lax = decoder(strict=True), decoder(strict=False)
        self._columns = [attrgetter(f"f{i}") for i in range(len(names))]

    def decode(self, values: Sequence[Any], keys: Sequence[bytes | None]) -> DecodedRows:
        """Rows of JSON objects, one per value (bytes, or msgspec.Raw). ``keys`` are the message keys, which stand in for entities."""
        try:
            rows = list(map(self._strict, values))
            return DecodedRows(self._table(rows, keys), list(range(len(rows))), [], 0)
        except (*_UNDECODABLE, InvalidMessage, ValueError, OverflowError):
            return self._one_by_one(values, keys)

    def decode_arrow(self, data: bytes | None, key: bytes | None) -> ArrowRows:
        """The rows of one Arrow message. Raises InvalidMessage for the message as a whole."""
        table = decode_table(data, self.schema, optional=self._optional, ignore_unknown=True)
        unknown = bool(set(schema_in(data).names) - set(self.schema.names))
        for name in self._numbers:
            column = table.column(name)
            if not pc.all(pc.is_finite(column), min_count=0).as_py():
                raise InvalidMessage(f"column {name!r} holds NaN or infinity; null is how to say missing")
        _check_identity(table)
        entity = table.column("entity")
        if entity.null_count:
            stand_in = _text(key)
            filled = pc.fill_null(entity, stand_in) if stand_in else pc.coalesce(entity, table.column("event_id"))
            table = table.set_column(table.schema.get_field_index("entity"), self.schema.field("entity"), filled)
        return ArrowRows(table, table.num_rows if unknown else 0)

    def _one_by_one(self, values: Sequence[Any], keys: Sequence[bytes | None]) -> DecodedRows:
        rows: list[Any] = []
        accepted: list[int] = []
        rejected: list[tuple[int, str]] = []
        unknown = 0
        for i, value in enumerate(values):
            try:
                row, has_unknown = self._row(value)
                _check_row(*(get(row) for get in self._columns[:3]))
            except (*_UNDECODABLE, InvalidMessage, ValueError, OverflowError) as exc:
                rejected.append((i, _reason(value, exc)))
                continue
            rows.append(row)
            accepted.append(i)
            unknown += has_unknown
        return DecodedRows(self._table(rows, [keys[i] for i in accepted]), accepted, rejected, unknown)

    def _row(self, value: Any) -> tuple[Any, bool]:
        try:
            return self._strict(value), False
        except msgspec.ValidationError as exc:
            if "unknown field" not in str(exc):
                raise
        return self._lax(value), True

    def _table(self, rows: list[Any], keys: Sequence[bytes | None]) -> pa.Table:
        columns = [list(map(get, rows)) for get in self._columns]
        ids, times, entities = columns[0], columns[1], columns[2]
        if self._generated and (None in ids or None in times):
            now = datetime.now(UTC)
            columns[0] = ids = [self._generated() if i is None else i for i in ids]
            columns[1] = [now if t is None else t for t in times]
        if None in entities:
            columns[2] = [e or _text(k) or i for e, k, i in zip(entities, keys, ids, strict=True)]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        _check_identity(table)
        return table


def _check_row(event_id: str | None, event_time: datetime | None, entity: str | None) -> None:
    """The same limits as ``_check_identity``, for one row."""
    for name, text in (("event_id", event_id), ("entity", entity)):
        if text is not None and len(text.encode()) > MAX_ID_BYTES:
            raise InvalidMessage(f"field {name!r} is {len(text.encode())} bytes long; at most {MAX_ID_BYTES}")
    if event_time is not None and not _EARLIEST <= event_time <= _LATEST:
        raise InvalidMessage("field 'event_time' is not between the years 1 and 9999")


def _check_identity(table: pa.Table) -> None:
    if not table.num_rows:
        return
    for name in ("event_id", "entity"):
        sizes = pc.min_max(pc.binary_length(table.column(name))).as_py()
        if sizes["min"] == 0:
            raise InvalidMessage(f"field {name!r} is empty")
        if sizes["max"] is not None and sizes["max"] > MAX_ID_BYTES:
            raise InvalidMessage(f"field {name!r} is {sizes['max']} bytes long; at most {MAX_ID_BYTES}")
    micros = pc.min_max(table.column("event_time").cast(pa.int64())).as_py()
    if micros["min"] < _EARLIEST.timestamp() * 1e6 or micros["max"] > _LATEST.timestamp() * 1e6:
        raise InvalidMessage("field 'event_time' is not between the years 1 and 9999")


def _text(key: bytes | None) -> str | None:
    """A message key as an entity: None when it is no text of a sensible length."""
    if not key or len(key) > MAX_ID_BYTES:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
_WORDS = {"float | null": "a number or null", "int | null": "a whole number or null", "bool | null": "true, false or null"}
_WORDS |= {"str | null": "a string or null", "datetime | null": "a time or null", "datetime": "a time", "object": "a JSON object"}
_WORDS |= {"str": "a string", "float": "a number", "int": "a whole number", "bool": "true or false"}


def _reason(value: Any, exc: Exception) -> str:
    if value is None:
        return "null value where a JSON object was expected"
    if isinstance(exc, UnicodeDecodeError):
        return f"broken UTF-8: {exc.reason} at byte {exc.start} of a string"
    if isinstance(exc, RecursionError):
        return "nested too deep"
    if isinstance(exc, OverflowError):
        return f"a value is out of range: {exc}"
    if isinstance(exc, msgspec.DecodeError) and not isinstance(exc, msgspec.ValidationError):
        return f"broken JSON: {str(exc).removeprefix('JSON is malformed: ')}"
    if not isinstance(exc, msgspec.ValidationError):
        return str(exc)
    match = _MESSAGE.fullmatch(str(exc))
    what, field = (match["what"], match["field"]) if match else (str(exc), None)
    for technical, plain in _WORDS.items():
        what = what.replace(f"`{technical}`", plain)
    what = what.replace("Object missing required field `", "required field missing: `").replace("`", "'")
    what = what[:1].lower() + what[1:]
    return f"field {field!r}: {what}" if field else what
