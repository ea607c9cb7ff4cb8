"""Join, split and iterate one snapshot under a hard limit of memory: ``python -m bench.iterate_snapshot FILE``, FILE as JSON.

The limit is the kernel's, on all memory that the process may write to (RLIMIT_DATA): what goes beyond it fails to be
allocated. The peak is the kernel's too, of pages in memory (VmHWM), the libraries' code included.
"""

import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow as pa

from bench.row_content import RowContent
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.snapshot_batches import snapshot_batches
from driftloop.lake.split import buckets, held_out, split_keys
from driftloop.settings import S3Settings

_SHOWN_EVERY = 10.0  # seconds


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """``memory_bytes``: what the join is given; null: all rows at once, as ``read_snapshot``. ``limit_bytes``: the kernel's."""

    s3: S3Settings
    stream: str
    digest: str
    folder: str
    memory_bytes: int | None
    limit_bytes: int | None


class Iterated(msgspec.Struct, frozen=True, kw_only=True):
    """``content``: digest of all joined rows in their order. ``peak_bytes`` of the process."""

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
    store = MinioObjectStore(task.s3)
    snapshot = load_snapshot(store, task.stream, task.digest)
    if snapshot.schema is None:
        raise SystemExit("the manifest has no schema")
    if task.memory_bytes is None:
        batches: Iterable[pa.RecordBatch] = read_snapshot(store, snapshot, snapshot.schema).to_batches(max_chunksize=65_536)
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


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(msgspec.json.encode(run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Task))).decode())
