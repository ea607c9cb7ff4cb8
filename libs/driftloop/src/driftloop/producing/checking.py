"""Rows and labels as messages: checked by the services' own decoders before anything leaves."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from driftloop.contracts import topics
from driftloop.contracts.schema import REQUEST_COLUMNS, StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.producing.messages import ARROW_ROWS, JSON_ROW, Message, batches, refuse_too_large
from driftloop.producing.row_values import encoded
from driftloop.producing.tables import by_partition, completed, new_id
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import request_schema

PartitionOf = Callable[[str, bytes], int]


class Checks:
    """Messages of one stream. Each method raises InvalidMessage with the field, and the row where there are several; safe between
    threads. ``unknown``: fields that the schema does not name may be sent, which services count and pass over."""

    def __init__(self, schema: StreamSchema, partition_of: PartitionOf, *, unknown: bool) -> None:
        self._requests, self._labels = topics.requests(schema.stream), topics.labels(schema.stream)
        self._schema, self._partition_of = request_schema(schema), partition_of
        self._known = None if unknown else frozenset((*REQUEST_COLUMNS, *schema.feature_names))
        self._rows, self._truths = RequestDecoder(schema), LabelDecoder(schema)
        self._decoding = threading.Lock()

    def row(self, row: Mapping[str, Any], **given: Any) -> Message:
        """``given``: what is said of the row beside it; None says nothing."""
        whole = self._whole(row, given, datetime.now(UTC))
        value = encoded(whole)
        key = _key(whole["event_id"] if whole.get("entity") is None else whole["entity"])
        with self._decoding:
            self._rows.check(value)
        partition = self._partition_of(self._requests, key)
        return refuse_too_large(Message(self._requests, partition, key, value, JSON_ROW, (str(whole["event_id"]),)))

    def rows(self, rows: "pa.Table | pa.RecordBatch | Iterable[Mapping[str, Any]]") -> tuple[tuple[str, ...], list[Message]]:
        """Ids of the rows in their order, and the Arrow messages that hold them."""
        if isinstance(rows, pa.RecordBatch):
            rows = pa.Table.from_batches([rows])
        table = self._table(rows) if isinstance(rows, pa.Table) else self._of_mappings(rows)

        def partition_of(key: bytes) -> int:
            return self._partition_of(self._requests, key)

        messages = [m for partition, part in by_partition(table, partition_of) for m in batches(self._requests, partition, part)]
        return tuple(table.column("event_id").to_pylist()), messages

    def label(self, event_id: str, value: Any, event_time: datetime, label_time: datetime | None) -> Message:
        said = {"event_id": event_id, "event_time": event_time, "label": value}
        data = encoded(said if label_time is None else {**said, "label_time": label_time})
        key = _key(event_id)
        self._decode(self._truths, self._labels, data, key, JSON_ROW)
        return refuse_too_large(Message(self._labels, self._partition_of(self._labels, key), key, data, JSON_ROW, (event_id,)))

    def _table(self, rows: pa.Table) -> pa.Table:
        self._refuse_unknown(rows.column_names)
        sent = completed(rows, self._schema, datetime.now(UTC))
        parts = [self._decode(self._rows, self._requests, encode_table(part), None, ARROW_ROWS).rows for part in _bounded(sent)]
        return pa.concat_tables(parts)

    def _of_mappings(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
            raise InvalidMessage(f"send_many takes an Arrow table, or rows one after another, not a {type(rows).__name__}")
        now, values = datetime.now(UTC), []
        for n, row in enumerate(rows):
            try:
                values.append(encoded(self._whole(row, {}, now)))
            except InvalidMessage as exc:
                raise InvalidMessage(f"row {n}: {exc}") from exc
        with self._decoding:
            decoded = self._rows.decode_batch(values, [None] * len(values))
        for n, reason in decoded.rejected:
            more = f" (and {len(decoded.rejected) - 1} rows more are refused)" if len(decoded.rejected) > 1 else ""
            raise InvalidMessage(f"row {n}: {reason}{more}")
        return decoded.rows

    def _whole(self, row: Mapping[str, Any], given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise InvalidMessage(f"a row is a mapping from field to value, not a {type(row).__name__}")
        whole = dict(row)
        for name, value in given.items():
            if value is None:
                continue
            if whole.get(name) not in (None, value):
                raise InvalidMessage(f"field {name!r} is {whole[name]!r} in the row, and {value!r} beside it")
            whole[name] = value
        self._refuse_unknown(whole)
        if whole.get("event_id") is None:
            whole["event_id"] = new_id()
        if whole.get("event_time") is None:
            whole["event_time"] = now
        return whole

    def _refuse_unknown(self, names: Iterable[str]) -> None:
        unknown = [] if self._known is None else [name for name in names if name not in self._known]
        if unknown:
            raise InvalidMessage(f"field {unknown[0]!r} is not in the stream's schema; Producer(unknown_fields=True) sends such fields too")

    def _decode(self, decoder: Any, topic: str, value: bytes, key: bytes | None, headers: Any) -> Any:
        """As the service will."""
        with self._decoding:
            return decoder.decode(Record(topic, 0, 0, int(datetime.now(UTC).timestamp() * 1000), key, value, headers))


def _key(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else b""  # what is no text the decoder refuses


def _bounded(rows: pa.Table) -> list[pa.Table]:
    """Parts that the decoder takes at once."""
    step = 50_000
    while step > 1 and rows.num_rows and rows.nbytes * min(1, step / rows.num_rows) > 32 * 1024 * 1024:
        step //= 2
    return [rows.slice(at, step).combine_chunks() for at in range(0, rows.num_rows, step)] or [rows]
