"""Files of a stream's two tables on the local disk, read a few row groups at a time."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from driftloop.contracts.events import TABLES
from driftloop.errors import IntegrityError
from driftloop.lake.parquet import in_parallel, leaf_index
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.row_cut import RowCut
from driftloop.lake.slices import Group
from driftloop.lake.snapshot import PinnedFile, Snapshot, pinned_bytes
from driftloop.lake.table import FileEntry, LakeTable, in_window
from driftloop.ports import ObjectStore

F = TypeVar("F")
_COPIED_AT_ONCE = 1 << 20  # bytes
Progress = Callable[[str, int, int], None]  # what, how much of it, of how much


class LocalFiles(NamedTuple):
    """``paths`` by table; of their rows those of ``cut`` are meant."""

    cut: RowCut
    paths: Mapping[str, Sequence[Path]]

    def groups(self, table: str) -> list[Group]:
        """All row groups with rows in the cut's interval, by their statistics."""
        found = []
        for index, path in enumerate(self.paths[table]):
            with pq.ParquetFile(path) as file:
                column = leaf_index(file, "event_time")
                for number in range(file.num_row_groups):
                    group = file.metadata.row_group(number)
                    span = group.column(column).statistics
                    if span is None or not span.has_min_max:
                        raise IntegrityError(f"{path.name}: a file of the lake has statistics of its event times, this one has none")
                    if self._touches(span.min, span.max):
                        found.append(Group(table, index, number, group.num_rows, _microseconds(span.min), _microseconds(span.max)))
        return found

    def rows(self, table: str, index: int, numbers: Sequence[int], wanted: pa.Schema) -> pa.Table:
        """The cut's rows in some row groups of one file. ``wanted`` holds the event time."""
        with pq.ParquetFile(self.paths[table][index], memory_map=False) as file:
            rows = rows_below(file, self.cut.ends.get(table), wanted, numbers, self.cut.uncapped)
        window = in_window(self.cut.start, self.cut.end)
        return rows if window is None else rows.filter(window)

    def _touches(self, low: object, high: object) -> bool:
        start, end = self.cut.start, self.cut.end
        return (end is None or low < end) and (start is None or high >= start)  # type: ignore[operator]


def fetch(store: ObjectStore, snapshot: Snapshot, folder: Path, progress: Progress) -> LocalFiles:
    """Download a snapshot's files, each checked. Raises IntegrityError when one is gone or changed, TransientError."""

    def write(file: PinnedFile, path: Path) -> int:
        path.write_bytes(pinned_bytes(store, snapshot.content, file))
        return file.size

    tables = [file.table for file in snapshot.files]
    return LocalFiles(snapshot.content.cut, _fetched(tables, snapshot.files, write, folder, sum(f.size for f in snapshot.files), progress))


def fetch_table_files(files: Sequence[tuple[LakeTable, FileEntry]], cut: RowCut, folder: Path, progress: Progress) -> LocalFiles:
    """Download files of tables as they are. Raises ObjectNotFound for one that was deleted meanwhile, TransientError."""

    def write(file: tuple[LakeTable, FileEntry], path: Path) -> int:
        table, entry = file
        with table.open_file(entry.path) as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy, _COPIED_AT_ONCE)
        return entry.size

    tables = [table.table for table, _ in files]
    return LocalFiles(cut, _fetched(tables, files, write, folder, sum(entry.size for _, entry in files), progress))


def _fetched(
    tables: Sequence[str], files: Sequence[F], write: Callable[[F, Path], int], folder: Path, size: int, progress: Progress
) -> dict[str, list[Path]]:
    """The local paths by table, in the files' order."""
    done = [0]

    def one(numbered: tuple[int, F]) -> Path:
        number, file = numbered
        path = folder / f"{number}.parquet"
        done[0] += write(file, path)
        progress("fetching", done[0], size)
        return path

    paths = in_parallel(one, list(enumerate(files)))
    return {name: [path for path, table in zip(paths, tables, strict=True) if table == name] for name in TABLES}


def _microseconds(time: object) -> int:
    return int(pa.scalar(time, pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py())
