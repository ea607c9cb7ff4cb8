"""What the split of a snapshot is computed from: one row per event, with the column that the rule names."""

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.schema import StreamSchema
from driftloop.lake.join import join
from driftloop.lake.snapshot import Snapshot, pinned_rows
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import lake_schema

_ORDER = ("event_id", "event_time", "scored_at", "partition", "offset", "request_offset")


def split_rows(store: ObjectStore, snapshot: Snapshot, schema: StreamSchema) -> pa.Table:
    """``event_id`` and the split key of every event, labelled or not. Raises IntegrityError, TransientError."""
    key, columns = snapshot.content.split.key, lake_schema(schema, "inferences")
    needed = pa.schema([columns.field(name) for name in dict.fromkeys((*_ORDER, key))])
    rows = pinned_rows(store, snapshot, "inferences", needed)
    wanted = list(dict.fromkeys(("event_id", key)))
    if pc.count_distinct(rows.column("event_id")).as_py() == rows.num_rows:
        return rows.select(wanted)
    return join(rows, lake_schema(schema, "labels").empty_table(), columns=wanted, keep_unlabelled=True).select(wanted)
