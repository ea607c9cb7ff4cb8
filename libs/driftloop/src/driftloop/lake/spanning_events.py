"""Events whose rows lie in several slices: a copy with another time, a label that names another. Rare, and joined apart.

An event is known by a hash of its id. Two ids with one hash only make an event be joined apart that need not be.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from driftloop.lake.join import isolate, join_query
from driftloop.lake.local_files import LocalFiles
from driftloop.lake.slices import Cuts, slices_of

_BATCH = 65_536
_HASH = "hash(event_id)"
_LEAST = 256 * 2**20  # bytes that DuckDB cannot do without, spill as it may


def spilling(folder: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """DuckDB with its tables, and what does not fit into its share of the memory, on disk."""
    connection = duckdb.connect(str(folder / "spilled.duckdb"))
    isolate(connection)
    connection.execute(f"SET memory_limit = '{max(memory_bytes, _LEAST) // 2**20}MiB'; SET preserve_insertion_order = false")
    connection.execute("SET temp_directory = ?", [str(folder / "spill")])
    return connection


def find_spanning_events(connection: duckdb.DuckDBPyConnection, files: LocalFiles, cuts: Cuts) -> pa.Table:
    """Hashes (column ``h``) of the events that have rows in more than one slice; reads ids and times alone."""
    everything = [str(path) for paths in files.paths.values() for path in paths]
    window = files.snapshot.content
    bounds = "event_time < ?" + ("" if window.start is None else " AND event_time >= ?")
    query = f"""
        SELECT h, min(t) AS low, max(t) AS high
        FROM (SELECT {_HASH} AS h, epoch_us(event_time) AS t FROM read_parquet(?) WHERE {bounds})
        GROUP BY h HAVING min(t) <> max(t)
    """
    parameters = [everything, window.end] + ([] if window.start is None else [window.start])
    found = [np.empty(0, np.uint64)]
    for batch in connection.sql(query, params=parameters).to_arrow_reader(_BATCH):
        low, high = (slices_of(cuts, batch.column(name).to_numpy()) for name in ("low", "high"))
        found.append(batch.column("h").to_numpy()[low != high])
    return pa.table({"h": pa.array(np.concatenate(found), pa.uint64())})


def without(rows: pa.Table, spanning: pa.Table) -> pa.Table:
    """The rows of all other events."""
    if not spanning.num_rows:
        return rows
    with duckdb.connect() as connection:
        isolate(connection)
        connection.register("slice_rows", rows)
        connection.register("spanning", spanning)
        return connection.sql(f"SELECT * FROM slice_rows WHERE {_HASH} NOT IN (SELECT h FROM spanning)").to_arrow_table().cast(rows.schema)


def join_apart(
    connection: duckdb.DuckDBPyConnection,
    spanning: pa.Table,
    tables: dict[str, tuple[pa.Schema, Iterator[pa.Table]]],
    columns: Sequence[str],
    *,
    keep_unlabelled: bool,
) -> Iterator[pa.RecordBatch]:
    """The joined rows of these events in order, however many they are. ``tables``: all rows of both, read once."""
    connection.register("spanning", spanning)
    for name, (schema, parts) in tables.items():
        reader = pa.RecordBatchReader.from_batches(schema, (batch for part in parts for batch in part.to_batches()))
        connection.register("incoming", reader)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming WHERE {_HASH} IN (SELECT h FROM spanning)")
        connection.unregister("incoming")
    query = join_query(tables["inferences"][0], columns, keep_unlabelled=keep_unlabelled)
    yield from connection.sql(query).to_arrow_reader(_BATCH)
