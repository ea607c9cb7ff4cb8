"""What the split of a snapshot is computed from: one row per event, with the column that the rule names."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.schema import StreamSchema
from driftloop.datasets.snapshots import schema_of
from driftloop.datasets.split_check import SplitCheck, SplitReport
from driftloop.lake.join import join
from driftloop.lake.snapshot import Snapshot, load_snapshot, pinned_rows
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


def split_report(store: ObjectStore, snapshots: Iterable[tuple[str, str]]) -> SplitReport:
    """The leak test over snapshots, each a stream and a digest. Raises IntegrityError, ObjectNotFound, TransientError."""
    check = SplitCheck()
    for stream, digest in snapshots:
        snapshot = load_snapshot(store, stream, digest)
        check.take(snapshot.content.split, split_rows(store, snapshot, schema_of(store, snapshot)))
    return check.report()
