"""Messages on ``<stream>.inferences``, read with suspicion: others may write there too. All readers decode them here."""

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.headers import RequestRange, request_range, watermark
from driftloop.contracts.schema import RESERVED, StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows import probabilities
from driftloop.rows.arrow_stream import MAX_ROWS, decode_table, schema_in
from driftloop.rows.feature_columns import FeatureColumns
from driftloop.rows.limits import check_ids, check_times
from driftloop.rows.schemas import holds_probabilities, inference_schema

MAX_OFFSET = 2**63 - 1  # Kafka's
MAX_OFFSETS = MAX_ROWS  # that a predictor's message accounts for


class InferenceMessage(NamedTuple):
    """``rows`` is None when the message brings a watermark or a range alone."""

    rows: pa.Table | None
    claimed: RequestRange | None
    watermark: datetime | None


class InferenceDecoder:
    """Decodes the messages of one stream. Their writers may be of any of its schemas.

    With ``stored``, the columns of a table, rows come under those, null where the writer did not know a feature; what has
    no column there is refused. Without, a message's features come as they are.
    """

    def __init__(self, schema: StreamSchema, stored: pa.Schema | None = None) -> None:
        fixed = pa.schema([field for field in inference_schema(schema) if field.name in RESERVED])
        self._columns = FeatureColumns(fixed, stored, probabilities=schema.has_probabilities)

    def decode(self, record: Record) -> InferenceMessage:
        """Raises InvalidMessage; UnknownFeatures when nothing else is known to be wrong."""
        claimed, mark = claimed_range(record), watermark(record.headers)
        if not record.value and (claimed is not None or mark is not None):
            return InferenceMessage(None, claimed, mark)
        found = schema_in(record.value)
        rows = decode_table(record.value, self._columns.expected(found))
        for name in ("event_id", "entity"):
            check_ids(rows.column(name), name)
        for field in rows.schema:
            if pa.types.is_timestamp(field.type):
                check_times(rows.column(field.name), field.name)
        _check_offsets(rows.column("request_offset"), claimed)
        if holds_probabilities(rows.schema):
            probabilities.check(rows)
        return InferenceMessage(self._columns.arranged(rows, found), claimed, mark)


def claimed_range(record: Record) -> RequestRange | None:
    """The range in the header; None for rows that came by HTTP. Raises InvalidMessage.

    It may be wider than any number of rows: an aborted transaction is offsets without messages.
    """
    claimed = request_range(record.headers)
    if claimed is None:
        return None
    if claimed.partition != record.partition:
        raise InvalidMessage(f"accounts for requests of partition {claimed.partition} in partition {record.partition}")
    if not 0 <= claimed.start <= claimed.end <= MAX_OFFSET:
        raise InvalidMessage(f"[{claimed.start}, {claimed.end}) is no range of request offsets")
    if len(claimed.quarantined) > MAX_ROWS:
        raise InvalidMessage(f"names {len(claimed.quarantined)} quarantined requests at once; at most {MAX_ROWS}")
    if any(not claimed.start <= offset < claimed.end for offset in claimed.quarantined):
        raise InvalidMessage("names quarantined requests outside of its range")
    return claimed


def accounted_range(record: Record) -> RequestRange | None:
    """The requests that a message accounts for whatever else is wrong with it; None when its header says nothing that can be."""
    try:
        claimed = request_range(record.headers)
    except InvalidMessage:
        return None
    if claimed is None or claimed.partition != record.partition or not 0 <= claimed.start <= claimed.end <= MAX_OFFSET:
        return None
    return claimed


def _check_offsets(offsets: pa.ChunkedArray, claimed: RequestRange | None) -> None:
    if claimed is None:
        if offsets.null_count < len(offsets):
            raise InvalidMessage("rows name request offsets, but the message has no request range")
        return
    if offsets.null_count:
        raise InvalidMessage("a row of a request range names no request offset")
    if len(offsets):
        span = pc.min_max(offsets).as_py()
        if span["min"] < claimed.start or span["max"] >= claimed.end:
            raise InvalidMessage(f"rows name request offsets outside of [{claimed.start}, {claimed.end})")
