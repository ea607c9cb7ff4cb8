"""Messages on ``<stream>.labels``: JSON objects or Arrow batches from strangers, turned into label rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from driftloop import metrics
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.headers import is_arrow
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Time
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.json_objects import JsonObjects
from driftloop.rows.limits import check_finite, check_id, check_ids, check_time, check_times
from driftloop.rows.schemas import label_schema


class LabelRows(NamedTuple):
    """Rows of some messages, the offset each came in, and the messages that were rejected."""

    rows: pa.Table  # of label_schema
    offsets: list[int]
    rejected: list[tuple[Record, str]]  # with a reason that a person understands


class Labels(Protocol):
    """Decodes the labels of one stream, of our topic or of another."""

    def decode_batch(self, records: Sequence[Record]) -> LabelRows:
        """Of messages that are a label each or, by their headers, many."""

    def is_table(self, record: Record) -> bool:
        """Whether a message may hold many labels."""


class LabelDecoder:
    """Decodes the labels of one stream; keeps ``Labels``. Unknown fields are ignored and counted; an Arrow message stands or falls as
    a whole."""

    def __init__(self, schema: StreamSchema) -> None:
        self._stream = schema.stream
        self._schema = label_schema(schema)
        at = self._schema.get_field_index("label_time")
        self._arrow_schema = self._schema.set(at, self._schema.field(at).with_nullable(True))
        fields = {
            "event_id": Annotated[str, msgspec.Meta(min_length=1)],
            "event_time": Time,
            "label": COLUMN_TYPES[schema.target.type].json,
            "label_time": Time | None,
        }
        self._objects = JsonObjects(fields, optional={"label_time"})

    def decode(self, record: Record) -> pa.Table:
        """The rows of one message, JSON or Arrow as its headers say. Raises InvalidMessage for the message as a whole."""
        return self._arrow(record) if is_arrow(record.headers) else self._table([self._json(record)])

    def is_table(self, record: Record) -> bool:
        return is_arrow(record.headers)

    def decode_batch(self, records: Sequence[Record]) -> LabelRows:
        """What ``decode`` gives each record by itself: rows in the records' order, JSON before Arrow."""
        accepted: list[tuple[str, datetime, Any, datetime]] = []
        offsets: list[int] = []
        tables: list[pa.Table] = []
        arrow_offsets: list[int] = []
        rejected: list[tuple[Record, str]] = []
        for record in records:
            try:
                if is_arrow(record.headers):
                    table = self._arrow(record)
                    tables.append(table)
                    arrow_offsets += [record.offset] * table.num_rows
                else:
                    accepted.append(self._json(record))
                    offsets.append(record.offset)
            except InvalidMessage as exc:
                rejected.append((record, str(exc)))
        return LabelRows(pa.concat_tables([self._table(accepted), *tables]), offsets + arrow_offsets, rejected)

    def _table(self, labels: Sequence[tuple[str, datetime, Any, datetime]]) -> pa.Table:
        columns = list(zip(*labels, strict=True)) or [()] * 4
        return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)], schema=self._schema)

    def _json(self, record: Record) -> tuple[str, datetime, Any, datetime]:
        row, has_unknown = self._objects.decode(record.value)
        event_id, event_time, label, label_time = (get(row) for get in self._objects.columns)
        label_time = label_time or _sent(record)
        check_id(event_id, "event_id")
        check_time(event_time, "event_time")
        check_time(label_time, "label_time")
        if has_unknown:
            metrics.UNKNOWN_FIELDS.labels(self._stream).inc()
        return event_id, event_time, label, label_time

    def _arrow(self, record: Record) -> pa.Table:
        table = decode_table(record.value, self._arrow_schema, optional=frozenset({"label_time"}))
        check_ids(table.column("event_id"), "event_id")
        for name in ("event_time", "label_time"):
            check_times(table.column(name), name)
        label, times = table.column("label"), table.column("label_time")
        if pa.types.is_floating(label.type):
            check_finite(label, "label")
        if times.null_count:
            times = pc.fill_null(times, pa.scalar(_sent(record), times.type))
        return pa.Table.from_arrays([*table.columns[:3], times], schema=self._schema)


def _sent(record: Record) -> datetime:
    """When the message was sent, as the broker has it: it stands in for the label's time."""
    try:
        sent = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidMessage(f"the message's own time, {record.timestamp_ms} ms, is outside of the calendar") from exc
    check_time(sent, "label_time")
    return sent
