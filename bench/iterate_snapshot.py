"""Join, split and iterate one snapshot, or ask something else of its stream, under a hard limit of memory.

``python -m bench.iterate_snapshot FILE``, FILE as JSON.

The limit is the kernel's, on all memory that the process may write to (RLIMIT_DATA): what goes beyond it fails to be
allocated. The peak is the kernel's too, of pages in memory (VmHWM), the libraries' code included.
"""

import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from bench.row_content import RowContent
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.datasets.as_of import AsOf
from driftloop.datasets.bounded_diff import bounded_difference
from driftloop.datasets.dataset import joined_rows
from driftloop.datasets.diff_inputs import side
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.snapshot_batches import snapshot_batches
from driftloop.lake.split import buckets, held_out, split_keys
from driftloop.lake.table import LakeTable
from driftloop.settings import S3Settings

_SHOWN_EVERY = 10.0  # seconds
_ENDLESS = 1 << 50  # bytes of memory


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """``memory_bytes``: what the join is given; null: all rows at once, as ``read_snapshot``. ``limit_bytes``: the kernel's.

    ``of``: the snapshot; the tables as they are, joined; or the snapshot compared with itself.
    """

    s3: S3Settings
    stream: str
    digest: str
    folder: str
    memory_bytes: int | None
    limit_bytes: int | None
    of: Literal["snapshot", "dataset", "diff"] = "snapshot"


class Iterated(msgspec.Struct, frozen=True, kw_only=True):
    """``content``: digest of all joined rows in their order, or the answer in words. ``peak_bytes`` of the process."""

    rows: int
    held_out: int
    content: str
    seconds: float
    first_batch_seconds: float
    peak_bytes: int


def run(task: Task) -> Iterated:
    if task.limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (task.limit_bytes, task.limit_bytes))
    began = time.monotonic()
    if task.of == "diff":
        answer, seconds = _diff(task), time.monotonic() - began
        return Iterated(rows=0, held_out=0, content=answer, seconds=seconds, first_batch_seconds=seconds, peak_bytes=_peak_bytes())
    store = MinioObjectStore(task.s3)
    snapshot = load_snapshot(store, task.stream, task.digest)
    if snapshot.schema is None:
        raise SystemExit("the manifest has no schema")
    if task.of == "dataset":
        batches: Iterable[pa.RecordBatch] = _dataset(task)
    elif task.memory_bytes is None:
        batches = read_snapshot(store, snapshot, snapshot.schema).to_batches(max_chunksize=65_536)
    else:
        batches = snapshot_batches(
            store, snapshot, snapshot.schema, memory_bytes=task.memory_bytes, folder=Path(task.folder), progress=_Shown()
        )
    rule, content = snapshot.content.split, RowContent()
    rows = held = 0
    first = 0.0
    for batch in batches:
        first = first or time.monotonic() - began
        keys = split_keys(pa.Table.from_batches([batch]), rule.key)
        held += int(held_out(buckets(keys, rule.salt)).sum())
        rows += batch.num_rows
        content.take(batch)
    seconds = time.monotonic() - began
    return Iterated(
        rows=rows, held_out=held, content=content.hexdigest(), seconds=seconds, first_batch_seconds=first, peak_bytes=_peak_bytes()
    )


class _Shown:
    """Progress on stderr, now and then and at the end of each step."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if done >= total or time.monotonic() - self._last > _SHOWN_EVERY:
            self._last = time.monotonic()
            print(f"  {what}: {done:,} of {total:,}", file=sys.stderr, flush=True)


def _tables(task: Task) -> tuple[LakeTable, LakeTable]:
    return LakeTable.open(task.s3, task.stream, "inferences"), LakeTable.open(task.s3, task.stream, "labels")


def _dataset(task: Task) -> Iterable[pa.RecordBatch]:
    known = [AsOf(table) for table in _tables(task)]
    _, batches = joined_rows(known[0], known[1], labelled_only=True, memory_bytes=task.memory_bytes or _ENDLESS)
    return batches(65_536)


def _diff(task: Task) -> str:
    memory = task.memory_bytes or _ENDLESS
    a, b = (side(MinioObjectStore(task.s3), task.s3, task.digest, memory_bytes=memory) for _ in range(2))
    found = bounded_difference(a, b, memory_bytes=memory)
    return msgspec.json.encode(found).decode()


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(msgspec.json.encode(run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Task))).decode())
