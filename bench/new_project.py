"""`driftloop init` on a million rows, in a process of its own, beside reading the file once."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings

ROWS = 1_000_000
NUMBERS, CATEGORIES = 8, 4  # columns, beside id, entity, time, label time, a leak, a constant and the target
START_US = 1_672_531_200_000_000  # 2023


def measure(around: Surroundings) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="driftloop-bench-") as folder:
        path = write_rows(Path(folder) / "rows.csv", ROWS)
        around.say(f"init on {ROWS:,} rows, {path.stat().st_size / 1e6:.0f} MB of CSV")
        seconds = _init(path, Path(folder) / "project")
        began = time.perf_counter()
        columns = pa_csv.read_csv(path).num_columns
        read = time.perf_counter() - began
    yield Figure(
        name="init",
        what=f"driftloop init --data rows.csv: {ROWS:,} rows of {columns} columns to a project that is checked and fits, imports included",
        value=seconds,
        unit="s",
        limit=Limit("pyarrow reads the same file once, its types guessed", read),
        aim=Aim(20, "at most"),
    )


def write_rows(path: Path, rows: int) -> Path:
    random = np.random.default_rng(0)
    at = START_US + np.sort(random.integers(0, 365 * 86_400, rows)) * 1_000_000
    numbers = {f"n{i}": random.normal(0, 1, rows).round(4) for i in range(NUMBERS)}
    bought = random.random(rows) < 1 / (1 + np.exp(-numbers["n0"] - numbers["n1"]))
    columns = {
        "event": pa.array([f"e{i:08d}" for i in range(rows)]),
        "customer_id": random.integers(0, 50_000, rows),
        "at": pa.array(at).cast(pa.timestamp("us")).cast(pa.timestamp("s")).cast(pa.string()),
        **numbers,
        **{f"c{i}": random.choice([f"v{k}" for k in range(10 * (i + 1))], rows) for i in range(CATEGORIES)},
        "settled": pa.array(at + 3_600_000_000).cast(pa.timestamp("us")).cast(pa.timestamp("s")).cast(pa.string()),
        "refund": np.where(bought, 1.0, 0.0) + random.random(rows).round(3) / 2,
        "shop": ["s1"] * rows,
        "bought": bought,
    }
    pa_csv.write_csv(pa.table(columns), path)
    return path


def _init(data: Path, folder: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "driftloop.cli", "init", str(folder), "--data", str(data), "--target", "bought"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"init failed: {done.stderr}")
    return time.perf_counter() - began
