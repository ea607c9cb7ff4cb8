"""A snapshot's joined rows, batch after batch, within a bound of memory: the rows and the order of ``read_snapshot``.

A small snapshot is read at once. Of a large one the files are fetched to the local disk, each checked. Event time is cut
into slices that fit into memory, and each slice is joined for itself, for the order is by event time first. Events with
rows in several slices are joined apart, on disk, and put in where they belong.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftloop.contracts.events import TABLES
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import IntegrityError, UserError
from driftloop.lake.join import join, joined_schema
from driftloop.lake.local_files import LocalFiles, Progress, fetch
from driftloop.lake.sliced_rows import SlicedRows, times_of
from driftloop.lake.slices import Group, cuts_for
from driftloop.lake.snapshot import Snapshot, read_snapshot
from driftloop.lake.spanning_events import find_spanning_events, join_apart, spilling, without
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import lake_schema

DEFAULT_MEMORY = 1 << 30
BATCH_ROWS = 65_536
_AT_ONCE = 16  # times its Parquet's size is what a snapshot takes up when it is read and joined at once
_COPIES = 8  # of a slice's rows: as read, filtered, in the join, sorted, as its result, each with what the allocator keeps
_KEYS = ("event_time", "event_id")


def _silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def batches_schema(schema: StreamSchema, columns: Sequence[str] | None = None) -> pa.Schema:
    """The columns of ``snapshot_batches``."""
    return joined_schema(lake_schema(schema, "inferences"), lake_schema(schema, "labels"), columns)


def snapshot_batches(
    store: ObjectStore,
    snapshot: Snapshot,
    schema: StreamSchema,
    *,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    memory_bytes: int = DEFAULT_MEMORY,
    folder: Path | None = None,
    progress: Progress = _silent,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most 65,536 rows. ``folder``: where there is room for the pinned files and twice their rows; by default
    the system's temporary one. ``memory_bytes`` bounds what is held at once, beside the libraries themselves.

    Raises IntegrityError when a file is gone or changed, or the schema is another one; TransientError; UserError when
    memory or disk do not suffice.
    """
    if schema.fingerprint() != snapshot.content.schema_fingerprint:
        raise IntegrityError(f"snapshot {snapshot.digest} was pinned under the schema {snapshot.content.schema_fingerprint}")
    if sum(file.size for file in snapshot.files) * _AT_ONCE <= memory_bytes:
        yield from read_snapshot(store, snapshot, schema, columns=columns, keep_unlabelled=keep_unlabelled).to_batches(BATCH_ROWS)
        return
    with tempfile.TemporaryDirectory(prefix="driftloop-snapshot-", dir=folder) as work:
        try:
            files = fetch(store, snapshot, Path(work), progress)
            yield from _Join(files, schema, columns, keep_unlabelled, memory_bytes, Path(work), progress).batches()
        except (duckdb.OutOfMemoryException, pa.ArrowMemoryError, MemoryError) as exc:
            raise UserError(f"snapshot {snapshot.digest[:12]}: {memory_bytes // 2**20} MiB of memory are too little here: {exc}") from exc
        except OSError as exc:
            raise UserError(f"snapshot {snapshot.digest[:12]} does not fit below {Path(work).parent}: {exc}") from exc


class _Join:
    def __init__(
        self,
        files: LocalFiles,
        schema: StreamSchema,
        columns: Sequence[str] | None,
        keep_unlabelled: bool,
        memory_bytes: int,
        work: Path,
        progress: Progress,
    ) -> None:
        self._files, self._memory, self._work, self._progress, self._keep = files, memory_bytes, work, progress, keep_unlabelled
        self._schemas = {"inferences": lake_schema(schema, "inferences"), "labels": lake_schema(schema, "labels")}
        self._columns = list(columns) if columns is not None else self._schemas["inferences"].names
        self._inner = list(dict.fromkeys([*self._columns, *_KEYS]))  # what the order is known by may not be asked for
        self._result = batches_schema(schema, self._columns)

    def batches(self) -> Iterator[pa.RecordBatch]:
        groups: dict[str, list[Group]] = {table: self._files.groups(table) for table in TABLES}
        cuts = cuts_for([*groups["inferences"], *groups["labels"]], self._rows_per_slice(groups))
        sliced = {t: SlicedRows(self._files, t, groups[t], cuts, self._schemas[t], self._work) for t in TABLES}
        for each in sliced.values():
            each.split_wide(self._progress)
        total = len(cuts) + 1
        with spilling(self._work, self._memory // 2) as connection:
            spanning = find_spanning_events(connection, self._files, cuts) if len(cuts) else pa.table({"h": pa.array([], pa.uint64())})
            apart = _Apart(self._join_apart(connection, spanning, groups) if spanning.num_rows else iter(()))
            for number in range(total):
                rows = join(
                    without(sliced["inferences"].rows(number), spanning),
                    without(sliced["labels"].rows(number), spanning),
                    columns=self._inner,
                    keep_unlabelled=self._keep,
                )
                before = apart.before(int(cuts[number])) if number < len(cuts) else apart.rest()
                if before:
                    rows = pa.concat_tables([rows, *(pa.Table.from_batches([b]).cast(rows.schema) for b in before)])
                    rows = rows.sort_by([(name, "ascending") for name in _KEYS])
                self._progress("joining", number + 1, total)
                yield from rows.select(self._result.names).cast(self._result).to_batches(max_chunksize=BATCH_ROWS)

    def _rows_per_slice(self, groups: dict[str, list[Group]]) -> float:
        """By what a row of both tables takes up in memory, as the first row groups show."""
        size, rows = 0.0, {t: sum(g.rows for g in some) for t, some in groups.items()}
        for table, some in groups.items():
            if some:
                first = self._files.rows(table, some[0].file, [some[0].number], self._schemas[table])
                size += rows[table] / sum(rows.values()) * first.nbytes / max(1, first.num_rows)
        return max(1_000.0, self._memory / (_COPIES * max(size, 1.0)))

    def _join_apart(
        self, connection: duckdb.DuckDBPyConnection, spanning: pa.Table, groups: dict[str, list[Group]]
    ) -> Iterator[pa.RecordBatch]:
        def parts(table: str) -> Iterator[pa.Table]:
            for done, group in enumerate(groups[table]):
                yield self._files.rows(table, group.file, [group.number], self._schemas[table])
                self._progress(f"rows of {spanning.num_rows} events with several times, {table}", done + 1, len(groups[table]))

        tables = {table: (schema, parts(table)) for table, schema in self._schemas.items()}
        return join_apart(connection, spanning, tables, self._inner, keep_unlabelled=self._keep)


class _Apart:
    """Ordered batches, taken up to a time."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._held: pa.RecordBatch | None = next(batches, None)

    def before(self, cut: int) -> list[pa.RecordBatch]:
        """All that is left with event times before ``cut``, in microseconds."""
        taken = []
        while self._held is not None:
            inside = int((times_of(pa.Table.from_batches([self._held])) < cut).sum())
            taken.append(self._held.slice(0, inside))
            if inside < self._held.num_rows:
                self._held = self._held.slice(inside)
                break
            self._held = next(self._batches, None)
        return [batch for batch in taken if batch.num_rows]

    def rest(self) -> list[pa.RecordBatch]:
        return self.before(1 << 62)
