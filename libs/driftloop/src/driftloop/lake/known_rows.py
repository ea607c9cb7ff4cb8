"""Rows of tables as they are, joined: what the monitor measures and the trainer looks for. Not of snapshots, which name their files."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.lake.join import CHOSEN_BY, ORDER, JoinCounts, join
from driftloop.lake.label_times import UNDATED_FIELD
from driftloop.lake.parquet import in_parallel
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.row_cut import RowCut
from driftloop.lake.table import FileEntry, LakeTable, in_window
from driftloop.rows.schemas import TIME

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
) -> pa.Table:
    """Rows with event time in ``[start, end)``: the inferences' columns (or those named), then ``label`` and ``label_time``.

    Rows without a label are left out, or have nulls there. Open the tables at a version to read them as they were.
    ``counts`` are added to.
    """
    needed = None if columns is None else list(dict.fromkeys([*columns, *ORDER, *CHOSEN_BY]))
    return join(
        inferences.read(needed, start, end),
        _label_rows(labels, start, end),
        columns=columns,
        keep_unlabelled=keep_unlabelled,
        counts=counts,
    )


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
    wanted = pa.schema([*(labels.schema.field(name) for name in _LABEL_COLUMNS), UNDATED_FIELD])
    return rows_by_file(labels, labels.files(start, end), RowCut(start, end, {}, uncapped), wanted)
