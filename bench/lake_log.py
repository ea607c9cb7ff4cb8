"""What a commit adds to a table's log: many partitions of which few moved, and many features, beside what releases of before wrote."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from bench.earlier_lake import earlier_commit
from bench.figures import Figure, Limit
from bench.surroundings import Surroundings
from driftloop.lake.commit import Flush, commit, store_files
from driftloop.lake.cursors import Move, app_id, request_app_id
from driftloop.lake.notes import WHOLE_EVERY
from driftloop.lake.parquet import encode_file
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import TIME

COMMITS = 2 * WHOLE_EVERY  # two of them write the whole state down
EARLIER_COMMITS = 16  # each writes the same, so few tell
COMMITS_A_DAY = 24 * 3600 // 10  # one every ten seconds, as ingest makes them
MOVED = 4  # partitions in a commit, a file each
ROWS = 5  # in a file
TOPIC = "0Yk2x9cZTnOqm7VbLw3s5A"  # as long as a topic's id is
START = datetime(2024, 1, 1, tzinfo=UTC)
GIB = 1 << 30

Commit = Callable[[LakeTable, Flush], object]


def measure(around: Surroundings) -> list[Figure]:
    """Bytes of the log per commit, all of one handle, by the entries as they lie in the store."""
    return [
        _figure(around, "log-of-partitions", partitions=500, features=10),
        _figure(around, "log-of-features", partitions=4, features=1000),
    ]


def of_now(around: Surroundings, name: str, *, partitions: int, features: int) -> float:
    """Bytes of the log per commit of this release."""

    def make(table: LakeTable, flush: Flush) -> None:
        store_files(around.store, table, flush)
        commit(table, around.store, flush)

    return _bytes_a_commit(around, LakeTable.open(around.s3, name, "inferences", _schema(features)), make, partitions, COMMITS)


def _figure(around: Surroundings, name: str, *, partitions: int, features: int) -> Figure:
    store, schema = around.store, _schema(features)

    def of_before(table: LakeTable, flush: Flush) -> None:
        earlier_commit(store, table, flush)

    now = of_now(around, name, partitions=partitions, features=features)
    before = _bytes_a_commit(
        around, LakeTable.open(around.s3, f"{name}-before", "inferences", schema), of_before, partitions, EARLIER_COMMITS
    )
    around.say(f"{name}: {now:,.0f} bytes a commit, before {before:,.0f}")
    return Figure(
        name=name,
        what=f"log per commit of {MOVED} files; {partitions} partitions, {features:,} features; mean of {COMMITS}",
        value=now / 1024,
        unit="KiB",
        limit=Limit("the same commits with every cursor and the statistics of every column", before / 1024),
        note=f"a commit every ten seconds: {now * COMMITS_A_DAY / GIB:.2f} GiB a day, before {before * COMMITS_A_DAY / GIB:.2f} GiB",
    )


def _bytes_a_commit(around: Surroundings, table: LakeTable, make: Commit, partitions: int, commits: int) -> float:
    """After a first commit, which moves every cursor."""
    ends = dict.fromkeys(range(partitions), 0)
    make(table, _flush(table, ends, range(partitions), files=0))
    first = table.version + 1
    for n in range(commits):
        make(table, _flush(table, ends, [(n * MOVED + m) % partitions for m in range(MOVED)], files=MOVED))
    entries = {f"{table.root}/_delta_log/{version:020d}.json" for version in range(first, first + commits)}
    sizes = [found.size for found in around.store.list(f"{table.root}/_delta_log/") if found.key in entries]
    assert len(sizes) == commits
    return sum(sizes) / commits


def _flush(table: LakeTable, ends: dict[int, int], partitions: "range | list[int]", *, files: int) -> Flush:
    """The next rows of some partitions: messages of inferences, and the requests that they account for."""
    moves, made = [], []
    for partition in partitions:
        start = ends[partition]
        ends[partition] = start + ROWS
        for cursor, topic in ((app_id, "bench.inferences"), (request_app_id, "bench.requests")):
            move = Move(
                cursor=cursor(TOPIC, partition),
                topic=topic,
                topic_id=TOPIC,
                partition=partition,
                start=start,
                end=start + ROWS,
                first=not start,
            )
            moves.append(move)
        if len(made) < files:
            made.append(encode_file(_rows(table.schema, partition, start), topic_id=TOPIC, partition=partition, first_offset=start))
    marks = {partition: START + timedelta(seconds=ends[partition]) for partition in partitions}
    return Flush(moves=tuple(moves), files=tuple(made), watermarks=marks)


def _schema(features: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("event_id", pa.string(), nullable=False),
            pa.field("event_time", TIME, nullable=False),
            *(pa.field(f"feature_{n}", pa.float64()) for n in range(features)),
            pa.field("model_version", pa.int64()),
            pa.field("request_offset", pa.int64()),
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
        ]
    )


def _rows(schema: pa.Schema, partition: int, start: int) -> pa.Table:
    offsets = range(start, start + ROWS)
    known = {
        "event_id": [f"event-{partition}-{n:012d}" for n in offsets],
        "event_time": [START + timedelta(seconds=n) for n in offsets],
        "model_version": [3] * ROWS,
        "request_offset": list(offsets),
        "partition": [partition] * ROWS,
        "offset": list(offsets),
    }
    feature = [n / 7 for n in offsets]
    return pa.table([pa.array(known.get(field.name, feature), field.type) for field in schema], schema=schema)
