"""Rows of one stream under stated conditions, ready to be read as often as wanted, always the same."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.datasets.as_of import AsOf
from driftloop.errors import UserError
from driftloop.lake.delta import store_errors
from driftloop.lake.join import join
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.table import FileEntry, in_window

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

BATCH_ROWS = 65_536
Batches = Callable[[int], Iterator[pa.RecordBatch]]


class Dataset:
    """Reads nothing before it is asked to. ``provenance`` says which data it is, enough to ask for the same again."""

    def __init__(self, schema: pa.Schema, batches: Batches, provenance: Mapping[str, Any]) -> None:
        self.schema, self.provenance = schema, dict(provenance)
        self._batches = batches

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows, at most ``rows`` at a time. Raises TransientError, and IntegrityError where a snapshot's file is not intact."""
        if rows < 1:
            raise UserError(f"a batch has at least one row, not {rows}")
        return self._batches(rows)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches()

    def to_arrow(self) -> pa.Table:
        return pa.Table.from_batches(self.batches(), self.schema)

    def to_pandas(self) -> "pd.DataFrame":
        """A row's class probabilities are a dict."""
        frame: pd.DataFrame = self.to_arrow().to_pandas(maps_as_pydicts="strict")
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """Raises UserError when polars is not installed."""
        try:
            import polars
        except ImportError as exc:
            raise UserError("to_polars() needs the package polars: pip install polars") from exc
        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.provenance.items() if value is not None)
        return f"Dataset({said})"


def table_rows(
    known: AsOf, *, start: datetime | None = None, end: datetime | None = None, columns: Sequence[str] | None = None
) -> tuple[pa.Schema, Batches]:
    """One table's rows with event time in ``[start, end)``, file after file in the order of event time.

    Raises UserError for a column that the table does not have.
    """
    table = known.table
    schema = _selected(table.schema, columns, f"table {table.stream}/{table.table}")
    window, cut = in_window(start, end), known.filter()
    chosen = cut if window is None else window if cut is None else window & cut

    def batches(rows: int) -> Iterator[pa.RecordBatch]:
        files = sorted(table.files(start, end), key=lambda file: (file.event_time_min, file.path))
        if known.by_file:
            yield from _file_after_file(known, files, window, schema, rows)
            return
        with store_errors(table.uri):
            scanner = table.dataset(files).scanner(columns=schema.names, filter=chosen, batch_size=rows)
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield batch.cast(schema) if batch.schema != schema else batch

    return schema, batches


def _file_after_file(
    known: AsOf, files: Sequence[FileEntry], window: pc.Expression | None, schema: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    """Where only a file says which incarnation of its topic the offsets of its rows are of; a row group at a time."""
    time = known.table.schema.field("event_time")
    wanted = schema if time.name in schema.names else schema.append(time)
    for entry in files:
        with known.table.open_file(entry.path) as file, pq.ParquetFile(file) as parquet:
            for group in range(parquet.num_row_groups):
                found = rows_below(parquet, known.ends or {}, wanted, [group])
                found = found if window is None else found.filter(window)
                yield from found.select(schema.names).to_batches(max_chunksize=rows)


def joined_rows(
    inferences: AsOf,
    labels: AsOf,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    columns: Sequence[str] | None = None,
    labelled_only: bool = False,
) -> tuple[pa.Schema, Batches]:
    """Inferences with their labels, as ``lake.join`` has them; with ``labelled_only`` those that have one."""
    names = _selected(inferences.table.schema, columns, f"stream {inferences.table.stream}").names

    def table() -> pa.Table:
        left, right = (_whole(side, start, end) for side in (inferences, labels))
        return join(left, right, columns=names, keep_unlabelled=not labelled_only)

    label = [labels.table.schema.field(name).with_nullable(True) for name in ("label", "label_time")]
    return pa.schema([*(inferences.table.schema.field(name) for name in names), *label]), in_memory(table)


def in_memory(table: Callable[[], pa.Table]) -> Batches:
    """Batches of a table that is made when the first is asked for."""
    return lambda rows: iter(table().to_batches(max_chunksize=rows))


def _whole(known: AsOf, start: datetime | None, end: datetime | None) -> pa.Table:
    schema, batches = table_rows(known, start=start, end=end)
    return pa.Table.from_batches(batches(BATCH_ROWS), schema)


def _selected(schema: pa.Schema, columns: Sequence[str] | None, of: str) -> pa.Schema:
    if columns is None:
        return pa.schema(list(schema))
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise UserError(f"{of} has no column {unknown[0]!r}; it has {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in dict.fromkeys(columns)])
