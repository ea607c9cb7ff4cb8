"""A snapshot of a million joined rows, beside DuckDB that reads and joins the same Parquet files alone."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.big_lake import pinned_stream
from bench.clocks import BenchError, Spent, spending
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from bench.wide_stream import wide_project
from driftloop.lake.parquet import in_parallel
from driftloop.lake.snapshot import load_snapshot, read_snapshot

ROWS = 1_000_000
TIMES = 5


def measure(around: Surroundings) -> list[Figure]:
    """The two by turns, so that a busy moment hits both. DuckDB has the files on disk and gives its rows in any order."""
    project = wide_project("snapshot-read")
    around.say(f"making {ROWS:,} rows with their labels")
    digest = pinned_stream(around.s3, around.store, project, ROWS, lambda _rows: None)
    snapshot = load_snapshot(around.store, project.stream, digest)
    files: dict[str, list[str]] = {"inferences": [], "labels": []}
    for file in snapshot.files:
        path = around.folder / f"{file.sha256}.parquet"
        path.write_bytes(around.store.get(f"lake/{project.stream}/{file.table}/{file.path}"))
        files[file.table].append(str(path))

    def ours() -> pa.Table:
        return read_snapshot(around.store, load_snapshot(around.store, project.stream, digest), project.schema)

    def alone() -> pa.Table:
        return _joined(files)

    def fetched() -> list[bytes]:
        return in_parallel(lambda f: around.store.get(f"lake/{project.stream}/{f.table}/{f.path}"), snapshot.files)

    around.say("reading it, and DuckDB's own, by turns")
    found: dict[str, list[Spent]] = {"ours": [], "alone": [], "fetched": []}
    for _ in range(TIMES):
        for name, work in (("ours", ours), ("alone", alone), ("fetched", fetched)):
            found[name].append(_spent(work))
    wall = {name: min(spent.wall for spent in times) for name, times in found.items()}  # the others were disturbed
    cpu = {name: min(spent.cpu for spent in times) for name, times in found.items()}
    size = sum(Path(path).stat().st_size for paths in files.values() for path in paths)
    return [
        Figure(
            name="snapshot-read",
            what=f"a pinned snapshot of {ROWS:,} rows and 25 features: fetched, hashed, joined with labels, put in order",
            value=wall["ours"],
            unit="s",
            limit=Limit("DuckDB alone: the same files on disk, read and joined, in no order", wall["alone"]),
            aim=Aim(2.0, "at most", of="ratio"),
            note=f"{size / 2**20:.0f} MiB of Parquet; fetching them from the store alone {wall['fetched']:.2f} s; "
            f"CPU {cpu['ours']:.2f} s against {cpu['alone']:.2f} s; the best of {TIMES} rounds each",
        )
    ]


def _joined(files: dict[str, list[str]]) -> pa.Table:
    with duckdb.connect() as connection:
        query = "SELECT i.*, l.label, l.label_time FROM read_parquet($inferences) i JOIN read_parquet($labels) l USING (event_id)"
        return connection.sql(query, params=files).to_arrow_table()


def _spent(work: Callable[[], object]) -> Spent:
    with spending() as spent:
        result = work()
    if isinstance(result, pa.Table) and result.num_rows != ROWS:
        raise BenchError(f"{result.num_rows:,} rows came out of {ROWS:,}")
    return spent()
