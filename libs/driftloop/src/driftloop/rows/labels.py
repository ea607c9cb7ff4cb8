"""Messages on ``<stream>.labels``: JSON objects or Arrow batches from strangers, turned into label rows."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from driftloop import metrics
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, header
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import EARLIEST, LATEST, Time
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.limits import check_times
from driftloop.rows.schemas import label_schema

MAX_ID_BYTES = 512
_LABEL_TYPES: dict[str, Any] = {"number": float, "boolean": bool, "category": str}
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidMessage)


class LabelRows(NamedTuple):
    """Rows of some messages, the offset each came in, and the messages that were rejected."""

    rows: pa.Table  # of label_schema
    offsets: list[int]
    rejected: list[tuple[Record, str]]  # with a reason that a person understands


class LabelDecoder:
    """Decodes the labels of one stream. Unknown fields are ignored and counted; an Arrow message stands or falls as a whole."""

    def __init__(self, schema: StreamSchema) -> None:
        self._stream = schema.stream
        self._schema = label_schema(schema)
        at = self._schema.get_field_index("label_time")
        self._arrow_schema = self._schema.set(at, self._schema.field(at).with_nullable(True))
        fields: list[str | tuple[str, Any] | tuple[str, Any, Any]] = [
            ("event_id", Annotated[str, msgspec.Meta(min_length=1)]),
            ("event_time", Time),
            ("label", _LABEL_TYPES[schema.target.type]),
            ("label_time", Time | None, None),
        ]

        def decoder(*, strict: bool) -> Callable[[bytes], Any]:
            return msgspec.json.Decoder(msgspec.defstruct("Label", fields, forbid_unknown_fields=strict, gc=False)).decode

        self._strict, self._lax = decoder(strict=True), decoder(strict=False)

    def decode(self, records: Sequence[Record]) -> LabelRows:
        """Rows in the records' order, JSON before Arrow."""
        accepted: list[tuple[str, datetime, Any, datetime]] = []
        offsets: list[int] = []
        tables: list[pa.Table] = []
        arrow_offsets: list[int] = []
        rejected: list[tuple[Record, str]] = []
        for record in records:
            try:
                if is_arrow(record):
                    table = self._arrow(record)
                    tables.append(table)
                    arrow_offsets += [record.offset] * table.num_rows
                else:
                    accepted.append(self._json(record))
                    offsets.append(record.offset)
            except _UNDECODABLE as exc:
                rejected.append((record, _reason(record, exc)))
        columns = list(zip(*accepted, strict=True)) or [()] * 4
        rows = pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)], schema=self._schema)
        return LabelRows(pa.concat_tables([rows, *tables]), offsets + arrow_offsets, rejected)

    def _json(self, record: Record) -> tuple[str, datetime, Any, datetime]:
        if record.value is None:
            raise InvalidMessage("null value where a label was expected")
        try:
            label = self._strict(record.value)
        except msgspec.ValidationError as exc:
            if "unknown field" not in str(exc):
                raise
            record.value.decode()  # msgspec passes over the bytes of what it does not know
            label = self._lax(record.value)
            metrics.UNKNOWN_FIELDS.labels(self._stream).inc()
        if len(label.event_id) * 4 > MAX_ID_BYTES and len(label.event_id.encode()) > MAX_ID_BYTES:
            raise InvalidMessage(f"field 'event_id' is longer than {MAX_ID_BYTES} bytes")
        label_time = label.label_time or _sent(record)
        if not (EARLIEST <= label.event_time <= LATEST and EARLIEST <= label_time <= LATEST):
            raise InvalidMessage("a time is not between the years 1 and 9999")
        return label.event_id, label.event_time, label.label, label_time

    def _arrow(self, record: Record) -> pa.Table:
        table = decode_table(record.value, self._arrow_schema, optional=frozenset({"label_time"}))
        if table.num_rows:
            sizes = pc.min_max(pc.binary_length(table.column("event_id"))).as_py()
            if sizes["min"] == 0 or sizes["max"] > MAX_ID_BYTES:
                raise InvalidMessage(f"column 'event_id' holds an id that is empty or longer than {MAX_ID_BYTES} bytes")
            for name in ("event_time", "label_time"):
                check_times(table.column(name), name)
        label = table.column("label")
        if pa.types.is_floating(label.type) and not pc.all(pc.is_finite(label), min_count=0).as_py():
            raise InvalidMessage("column 'label' holds NaN or infinity")
        filled = pc.fill_null(table.column("label_time"), pa.scalar(_sent(record), self._schema.field("label_time").type))
        return pa.Table.from_arrays([*table.columns[:3], filled], schema=self._schema)


def is_arrow(record: Record) -> bool:
    return (header(record.headers, CONTENT_TYPE) or b"").startswith(ARROW.encode())


def _sent(record: Record) -> datetime:
    try:
        return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidMessage(f"the message's own time, {record.timestamp_ms} ms, is outside of the calendar") from exc


def _reason(record: Record, exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return "broken UTF-8 in a string"
    if isinstance(exc, RecursionError):
        return "nested too deep"
    if isinstance(exc, msgspec.ValidationError):
        return f"not a label: {exc}".replace("`", "'").replace("$.", "")
    if isinstance(exc, msgspec.DecodeError):
        return f"broken JSON: {str(exc).removeprefix('JSON is malformed: ')}"
    return str(exc)
