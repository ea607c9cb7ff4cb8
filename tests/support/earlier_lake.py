"""Commits as releases wrote them whose notes held every cursor each time, and whose files had statistics of every column."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, CommitProperties, Transaction

from driftloop.contracts.headers import format_time
from driftloop.lake.commit import Flush, store_files
from driftloop.lake.cursors import offsets_in
from driftloop.lake.parquet import DataFile
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore


def earlier_commit(store: ObjectStore, table: LakeTable, flush: Flush) -> None:
    """Commit as they did, without a fence: the caller knows where the cursors stand."""
    store_files(store, table, flush)
    table.delta.create_write_transaction(
        actions=[_add(file) for file in flush.files],
        mode="append",
        schema=table.delta.schema(),
        partition_by=[],
        commit_properties=CommitProperties(
            custom_metadata={"driftloop": earlier_note(table, flush)},
            max_commit_retries=0,
            app_transactions=[Transaction(m.cursor, m.end) for m in flush.moves],
        ),
    )
    table.refresh()


def earlier_note(table: LakeTable, flush: Flush) -> dict[str, Any]:
    version, state = table.version + 1, table.state()
    cursors = {name: _object(cursor) | {"version": cursor.version} for name, cursor in state.cursors.items()}
    for m in flush.moves:
        start = cursors[m.cursor]["start"] if m.cursor in cursors else m.start
        cursors[m.cursor] = _object(m) | {"start": start, "version": version}
    marks = {p: format_time(mark) for p, mark in state.watermarks.items()}
    marks |= {str(p): format_time(mark) for p, mark in flush.watermarks.items()}
    return {
        "commit_id": flush.commit_id,
        "version": version,
        "at": format_time(datetime.now(UTC)),
        "rows": sum(file.rows for file in flush.files),
        "moves": [_object(m) | {"cursor": m.cursor, "first": m.first, "quarantined": list(offsets_in(m.quarantined))} for m in flush.moves],
        "event_time_min": min((format_time(file.event_time_min) for file in flush.files), default=None),
        "event_time_max": max((format_time(file.event_time_max) for file in flush.files), default=None),
        "cursors": cursors,
        "watermarks": marks,
    }


def earlier_stats(rows: pa.Table) -> str:
    lower, upper, nulls = {}, {}, {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        nulls[name] = column.null_count
        if column.null_count < len(column):
            span = pc.min_max(column).as_py()
            lower[name], upper[name] = (format_time(v) if isinstance(v, datetime) else v for v in (span["min"], span["max"]))
    return json.dumps({"numRecords": rows.num_rows, "minValues": lower, "maxValues": upper, "nullCount": nulls}, separators=(",", ":"))


def _object(r: Any) -> dict[str, Any]:
    return {"topic": r.topic, "topic_id": r.topic_id, "partition": r.partition, "start": r.start, "end": r.end}


def _add(file: DataFile) -> AddAction:
    action = file.add_action()
    rows = pq.read_table(pa.BufferReader(file.data))
    return AddAction(action.path, action.size, {}, action.modification_time, True, earlier_stats(rows))
