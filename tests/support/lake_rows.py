"""Rows and flushes for tests of the lake."""

from datetime import datetime, timedelta

import pyarrow as pa
from tests.support.traffic import event_id, event_time, inference_rows

from driftloop.contracts.schema import StreamSchema
from driftloop.lake.commit import Flush, commit, store_files
from driftloop.lake.cursors import Move, app_id
from driftloop.lake.notes import CommitNote
from driftloop.lake.parquet import encode_file
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import lake_schema

TOPIC_ID = "topic-id"


def lake_inferences(schema: StreamSchema, partition: int, start: int, end: int) -> pa.Table:
    """Events ``start`` to ``end`` of a partition, each as if it had come in a message of its own."""
    rows = inference_rows(schema, partition, start, end)
    rows = rows.append_column("partition", pa.array([partition] * rows.num_rows, pa.int32()))
    return rows.append_column("offset", pa.array(range(start, end), pa.int64())).cast(lake_schema(schema, "inferences"))


def lake_labels(
    schema: StreamSchema, partition: int, start: int, end: int, *, value: bool | str = True, delay_seconds: int = 300
) -> pa.Table:
    numbers = range(start, end)
    times = [event_time(n) for n in numbers]
    columns = [
        [event_id(partition, n) for n in numbers],
        times,
        [value] * len(times),
        [time + timedelta(seconds=delay_seconds) for time in times],
        [partition] * len(times),
        list(numbers),
    ]
    wanted = lake_schema(schema, "labels")
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, wanted, strict=True)], schema=wanted)


def flush_of(
    rows: pa.Table | None,
    partition: int,
    start: int,
    end: int,
    *,
    first: bool | None = None,
    mark: datetime | None = None,
    topic: str = "topic",
    topic_id: str = TOPIC_ID,
) -> Flush:
    """What a writer that read offsets ``[start, end)`` of one partition would commit."""
    move = Move(
        cursor=app_id(topic_id, partition),
        topic=topic,
        topic_id=topic_id,
        partition=partition,
        start=start,
        end=end,
        first=start == 0,
    )
    files = () if rows is None else (encode_file(rows, topic_id=topic_id, partition=partition, first_offset=start),)
    return Flush(moves=(move,), files=files, watermarks={} if mark is None else {partition: mark})


def append(store: ObjectStore, table: LakeTable, rows: pa.Table, start: int, *, partition: int = 0, topic_id: str = TOPIC_ID) -> CommitNote:
    """Commit rows of one partition as its offsets from ``start`` on, each row in a message of its own, as ingest does."""
    end = start + rows.num_rows
    for name, values in (("partition", [partition] * rows.num_rows), ("offset", range(start, end))):
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array(values, field.type))
    flush = flush_of(rows, partition, start, end, topic=f"{table.stream}.{table.table}", topic_id=topic_id)
    store_files(store, table, flush)
    return commit(table, store, flush)
