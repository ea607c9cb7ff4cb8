"""A snapshot of 20 M rows and 25 features, joined, split and iterated by a process that may hold 4 GiB."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.big_lake import pinned_stream
from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.iterate_snapshot import Iterated, Task
from bench.surroundings import Surroundings
from bench.wide_stream import wide_project

ROWS = 20_000_000
LIMIT_BYTES = 4 << 30
MEMORY_BYTES = 1 << 30  # the join's own; the default
SHOWN_EVERY = 2_000_000


def measure(around: Surroundings) -> list[Figure]:
    """Made, stored and pinned in this process; joined in one of its own."""
    stream = "larger-than-memory"
    began = time.monotonic()

    def say(rows: int) -> None:
        if rows % SHOWN_EVERY == 0:
            around.say(f"{rows:,} of {ROWS:,} rows are in the lake")

    digest = pinned_stream(around.s3, around.store, wide_project(stream), ROWS, say)
    size = sum(found.size for table in ("inferences", "labels") for found in around.store.list(f"lake/{stream}/{table}/"))
    around.say(
        f"{size / 2**30:.1f} GiB of Parquet made in {time.monotonic() - began:.0f} s; joining, at most {LIMIT_BYTES / 2**30:.0f} GiB"
    )
    task = Task(s3=around.s3, stream=stream, digest=digest, folder=str(around.folder), memory_bytes=MEMORY_BYTES, limit_bytes=LIMIT_BYTES)
    found = iterate(task, around.folder / "task.json")
    if found.rows != ROWS:
        raise BenchError(f"{found.rows:,} rows came out of {ROWS:,}")
    return [
        Figure(
            name="larger-than-memory",
            what=f"peak memory of joining, splitting and iterating {ROWS:,} rows of 25 features, RLIMIT_DATA {LIMIT_BYTES / 2**30:.0f} GiB",
            value=found.peak_bytes / 2**30,
            unit="GiB",
            limit=Limit("the memory that the join was given", MEMORY_BYTES / 2**30),
            aim=Aim(LIMIT_BYTES / 2**30, "at most"),
            note=(
                f"{found.seconds:.0f} s in all, {found.rows / found.seconds:,.0f} rows/s, "
                f"first batch after {found.first_batch_seconds:.0f} s; "
                f"{found.held_out:,} rows held out; content {found.content[:16]}"
            ),
        )
    ]


def iterate(task: Task, file: Path) -> Iterated:
    """In a process of its own. Raises BenchError when it fails, as it does at the limit."""
    file.write_bytes(msgspec.json.encode(task))
    done = subprocess.run([sys.executable, "-m", "bench.iterate_snapshot", str(file)], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise BenchError(f"the process ended with {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Iterated)
