"""A lake as large as the demo's, with a version that was trained on it and has scored every row."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bench.flights import flights_project, scored_flights
from bench.registering import Registered
from bench.surroundings import Surroundings
from driftloop.contracts.values import TrainingPins
from driftloop.lake.commit import Flush, commit, store_files
from driftloop.lake.cursors import Move, app_id
from driftloop.lake.parquet import encode_file
from driftloop.lake.pinning import pin
from driftloop.lake.table import LakeTable
from driftloop.ports import MessageProducer
from driftloop.project.model import Project
from driftloop.rows.schemas import lake_schema
from driftloop.training.environment import describe_environment, environment_digest

PARTITIONS = 4
FLUSH_ROWS = 2_100  # of a partition: the demo's lake has 160 files of each table


class TracedLake(NamedTuple):
    """``rows``: ids and times of all events; ``files``: how many the snapshot names, of both tables."""

    name: str
    rows: pa.Table
    files: int
    bytes: int
    keys: list[str]


def traced_lake(around: Surroundings, producer: MessageProducer, name: str, ids: Callable[[str], str]) -> TracedLake:
    """The year of flights with their labels, each event called ``ids`` of its name."""
    project = flights_project(name)
    rows = scored_flights(around.flights, project, around.flights.rows.num_rows)
    named = pa.array([ids(event_id) for event_id in rows.column("event_id").to_pylist()])
    rows = rows.set_column(rows.column_names.index("event_id"), "event_id", named)
    registered = Registered(around, producer, project)
    inferences, labels = (_fill(around, project, table, rows) for table in ("inferences", "labels"))
    end: datetime = pc.max(rows.column("event_time")).as_py() + timedelta(microseconds=1)
    digest, snapshot = pin(around.store, project, inferences, labels, start=None, end=end)
    environment = describe_environment()
    pins = TrainingPins(
        snapshot=digest,
        project=project.digest(),
        environment=environment_digest(environment),
        code="bench",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )
    registered.add_version(around.flights.skops, around.flights.profile, pins=pins, environment=environment)
    keys = [f"lake/{name}/{file.table}/{file.path}" for file in snapshot.files]
    return TracedLake(name, rows.select(["event_id", "event_time"]), len(keys), sum(f.size for f in snapshot.files), keys)


def _fill(around: Surroundings, project: Project, name: str, rows: pa.Table) -> LakeTable:
    wanted = lake_schema(project.schema, "inferences" if name == "inferences" else "labels")
    table = LakeTable.open(around.s3, project.stream, name, wanted)
    for flush in _flushes(_as_stored(rows, wanted), name):
        store_files(around.store, table, flush)
        commit(table, around.store, flush)
    return table


def _as_stored(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    n = rows.num_rows
    more = {
        "label": rows.column("prediction"),
        "label_time": rows.column("scored_at"),
        "partition": pa.array([i % PARTITIONS for i in range(n)], pa.int32()),
        "offset": pa.array([i // PARTITIONS for i in range(n)], pa.int64()),
    }
    columns = [more.get(field.name, rows.column(field.name) if field.name in rows.column_names else None) for field in wanted]
    return pa.table([column.cast(field.type) for column, field in zip(columns, wanted, strict=True)], schema=wanted)


def _flushes(rows: pa.Table, table: str) -> Iterator[Flush]:
    for start in range(0, rows.num_rows, FLUSH_ROWS * PARTITIONS):
        moves, files = [], []
        for partition in range(PARTITIONS):
            part = rows.slice(start, FLUSH_ROWS * PARTITIONS)
            part = part.filter(pc.equal(part.column("partition"), partition))
            if not part.num_rows:
                continue
            first = start // PARTITIONS
            cursor = app_id(f"bench-{table}", partition)
            moves.append(
                Move(
                    cursor=cursor,
                    topic=table,
                    topic_id=f"bench-{table}",
                    partition=partition,
                    start=first,
                    end=first + part.num_rows,
                    first=start == 0,
                )
            )
            files.append(encode_file(part, topic_id=f"bench-{table}", partition=partition, first_offset=first))
        yield Flush(moves=tuple(moves), files=tuple(files))


def random_id(event_id: str) -> str:
    """An id that says nothing of its time, as a UUID does not."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:32]
