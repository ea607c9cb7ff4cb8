"""Rows of tables as they are, joined: what the monitor measures and the trainer looks for. Not of snapshots, which name their files."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.lake.join import CHOSEN_BY, ORDER, JoinCounts, join, joined_schema
from driftloop.lake.label_times import UNDATED_FIELD
from driftloop.lake.local_files import fetch_table_files
from driftloop.lake.parquet import in_parallel
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.row_cut import RowCut
from driftloop.lake.sliced_join import AT_ONCE, DEFAULT_MEMORY, SlicedJoin, silent
from driftloop.lake.table import FileEntry, LakeTable, in_window
from driftloop.lake.work_folder import work_folder
from driftloop.rows.schemas import TIME

__all__ = ["AT_ONCE", "DEFAULT_MEMORY", "in_slices", "labelled_rows", "rows_by_file"]

_JOIN_BYTES, _VALUE_BYTES = 200, 16  # of a row in memory: what the join adds, and each value
_LABEL_COLUMNS = ("event_id", "event_time", "label", "label_time", "partition", "offset")


def labelled_rows(
    inferences: LakeTable,
    labels: LakeTable,
    *,
    start: datetime | None,
    end: datetime,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    counts: JoinCounts | None = None,
    memory_bytes: int = DEFAULT_MEMORY,
    folder: Path | None = None,
) -> pa.Table:
    """Rows with event time in ``[start, end)``: the inferences' columns (or those named), then ``label`` and ``label_time``.

    Rows without a label are left out, or have nulls there. Open the tables at a version to read them as they were.
    ``counts`` are added to. More rows than ``memory_bytes`` hold are joined in slices below ``folder`` (the system's temporary
    one by default): only the columns of the result are then held for all of them. Raises UserError when memory or disk do not
    suffice for that.
    """
    needed = inferences.schema.names if columns is None else list(dict.fromkeys([*columns, *ORDER, *CHOSEN_BY]))
    files = [(table, entry) for table in (inferences, labels) for entry in table.files(start, end)]
    if sum(entry.rows for _, entry in files) * (_JOIN_BYTES + _VALUE_BYTES * len(needed)) > memory_bytes:
        schemas = {"inferences": _fields(inferences, needed), "labels": _fields(labels, _LABEL_COLUMNS)}
        names, cut = columns or needed, RowCut(start, end, {}, labels.state().uncapped)
        batches = in_slices(
            files, cut, schemas, names, keep_unlabelled=keep_unlabelled, memory_bytes=memory_bytes, counts=counts, folder=folder
        )
        return pa.Table.from_batches(batches, joined_schema(schemas["inferences"], schemas["labels"], names))
    return join(
        inferences.read(needed, start, end),
        _label_rows(labels, start, end),
        columns=columns,
        keep_unlabelled=keep_unlabelled,
        counts=counts,
    )


def in_slices(
    files: Sequence[tuple[LakeTable, FileEntry]],
    cut: RowCut,
    schemas: Mapping[str, pa.Schema],
    names: Sequence[str],
    *,
    keep_unlabelled: bool,
    memory_bytes: int,
    counts: JoinCounts | None = None,
    folder: Path | None = None,
) -> Iterator[pa.RecordBatch]:
    """The joined rows of files of both tables, batch after batch within a bound of memory.

    The files are fetched below ``folder``, by default the system's temporary one. ``schemas``: what is read of each table;
    ``names``: what comes of the inferences. Raises UserError when memory or disk do not suffice, TransientError.
    """
    with work_folder("these rows", memory_bytes, folder) as work:
        yield from SlicedJoin(
            fetch_table_files(files, cut, work, silent),
            schemas,
            names,
            keep_unlabelled=keep_unlabelled,
            memory_bytes=memory_bytes,
            work=work,
            progress=silent,
            counts=counts,
        ).batches()


def rows_by_file(table: LakeTable, files: Sequence[FileEntry], cut: RowCut, wanted: pa.Schema) -> pa.Table:
    """The rows of some files that a cut means, in no particular order; for what only a file's own words tell. In memory."""

    def read(entry: FileEntry) -> pa.Table:
        with table.open_file(entry.path) as file, pq.ParquetFile(file) as parquet:
            rows = rows_below(parquet, cut.ends.get(table.table), wanted, uncapped=cut.uncapped)
        window = in_window(cut.start, cut.end)
        return rows if window is None else rows.filter(window)

    return pa.concat_tables([wanted.empty_table(), *in_parallel(read, files)])


def _label_rows(labels: LakeTable, start: datetime | None, end: datetime) -> pa.Table:
    rows, uncapped = labels.read(_LABEL_COLUMNS, start, end), labels.state().uncapped
    if uncapped is None or not pc.any(pc.greater(rows.column("label_time"), pa.scalar(uncapped.until, TIME)), min_count=0).as_py():
        return rows
    wanted = _fields(labels, _LABEL_COLUMNS).append(UNDATED_FIELD)
    return rows_by_file(labels, labels.files(start, end), RowCut(start, end, {}, uncapped), wanted)


def _fields(table: LakeTable, names: Sequence[str]) -> pa.Schema:
    return pa.schema([table.schema.field(name) for name in names])
