"""A large made-up stream in the lake: 20 numeric and 5 categorical features, a label for each row, an hour late and out of order."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from driftloop.lake.commit import Flush, commit, store_files
from driftloop.lake.cursors import Move, app_id
from driftloop.lake.parquet import encode_file
from driftloop.lake.pinning import pin
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.rows.schemas import lake_schema
from driftloop.settings import S3Settings

FILE_ROWS = 250_000  # as a compaction leaves them
START = datetime(2024, 1, 1, tzinfo=UTC)
_TIMES = pa.timestamp("us", tz="UTC")
_MICROSECONDS = int(START.timestamp()) * 1_000_000
_JITTER = 300_000_000  # microseconds: rows come in out of order, and files overlap
_CATEGORIES = pa.array([f"value-{n}" for n in range(30)])


def pinned_stream(s3: S3Settings, store: ObjectStore, project: Project, rows: int, say: Callable[[int], None]) -> str:
    """Fill both tables with so many rows, one a second; the digest of a snapshot of them all."""
    tables = {name: LakeTable.open(s3, project.stream, name, lake_schema(project.schema, name)) for name in ("inferences", "labels")}
    random = np.random.default_rng(0)
    for at in range(0, rows, FILE_ROWS):
        count = min(FILE_ROWS, rows - at)
        for name, part in _parts(project, random, at, count):
            move = Move(cursor=app_id(name, 0), topic=name, topic_id=name, partition=0, start=at, end=at + count, first=at == 0)
            flush = Flush(moves=(move,), files=(encode_file(part, topic_id=name, partition=0, first_offset=at),))
            store_files(store, tables[name], flush)
            commit(tables[name], store, flush)
        say(at + count)
    end = START + timedelta(seconds=rows, microseconds=_JITTER)
    return pin(store, project, tables["inferences"], tables["labels"], start=None, end=end)[0]


def _parts(project: Project, random: np.random.Generator, at: int, count: int) -> Iterator[tuple[str, pa.Table]]:
    numbers = np.arange(at, at + count)
    ids = pa.array(np.char.add("event-", np.char.zfill(numbers.astype(str), 10)))
    times = _MICROSECONDS + numbers * 1_000_000 + random.integers(0, _JITTER, count)
    known = {
        "event_id": ids,
        "event_time": pa.array(times).cast(_TIMES),
        "entity": pa.array(np.char.add("entity-", (numbers % 5000).astype(str))),
        "prediction": pa.array(random.random(count) < 0.2),
        "score": pa.array(np.round(random.random(count), 4)),
        "model_version": pa.array(np.ones(count, np.int64)),
        "scored_at": pa.array(times + 1000).cast(_TIMES),
        "request_offset": pa.array(numbers),
        "recalibration_epoch": pa.nulls(count, pa.int64()),
        "version_rule": pa.nulls(count, pa.string()),
        "partition": pa.array(np.zeros(count, np.int32)),
        "offset": pa.array(numbers),
    }
    features = {f.name: _feature(f.type, random, count) for f in project.schema.features}
    wanted = lake_schema(project.schema, "inferences")
    yield "inferences", pa.table([(known | features)[f.name] for f in wanted], schema=wanted)
    order = random.permutation(count)
    label = {
        **{name: known[name].take(pa.array(order)) for name in ("event_id", "event_time")},
        "label": pa.array(random.random(count) < 0.2),
        "label_time": pa.array(times[order] + 3_600_000_000).cast(_TIMES),
        "partition": known["partition"],
        "offset": known["offset"],
    }
    wanted = lake_schema(project.schema, "labels")
    yield "labels", pa.table([label[f.name] for f in wanted], schema=wanted)


def _feature(kind: str, random: np.random.Generator, count: int) -> pa.Array:
    if kind == "category":
        return _CATEGORIES.take(pa.array(random.integers(0, len(_CATEGORIES), count)))
    return pa.array(np.round(random.normal(0, 100, count), 2))
