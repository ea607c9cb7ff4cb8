"""A snapshot's files on the local disk, each checked on its way, and read a few row groups at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from driftloop.errors import IntegrityError
from driftloop.lake.parquet import in_parallel, leaf_index
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.slices import Group
from driftloop.lake.snapshot import PinnedFile, Snapshot, pinned_bytes
from driftloop.lake.table import in_window
from driftloop.ports import ObjectStore

Progress = Callable[[str, int, int], None]  # what, how much of it, of how much


class LocalFiles(NamedTuple):
    """The checked files of one snapshot below a folder. ``paths`` by table."""

    snapshot: Snapshot
    paths: dict[str, list[Path]]

    def groups(self, table: str) -> list[Group]:
        """All row groups with rows in the snapshot's window, by their statistics."""
        content = self.snapshot.content
        found = []
        for index, path in enumerate(self.paths[table]):
            with pq.ParquetFile(path) as file:
                column = leaf_index(file, "event_time")
                for number in range(file.num_row_groups):
                    group = file.metadata.row_group(number)
                    span = group.column(column).statistics
                    if span is None or not span.has_min_max:
                        raise IntegrityError(f"{path.name}: a file of the lake has statistics of its event times, this one has none")
                    if span.min < content.end and (content.start is None or span.max >= content.start):
                        found.append(Group(table, index, number, group.num_rows, _microseconds(span.min), _microseconds(span.max)))
        return found

    def rows(self, table: str, index: int, numbers: Sequence[int], wanted: pa.Schema) -> pa.Table:
        """The snapshot's rows in some row groups of one file. ``wanted`` holds the event time."""
        content = self.snapshot.content
        with pq.ParquetFile(self.paths[table][index], memory_map=False) as file:
            rows = rows_below(file, content.ends(table), wanted, numbers)
        return rows.filter(in_window(content.start, content.end))


def fetch(store: ObjectStore, snapshot: Snapshot, folder: Path, progress: Progress) -> LocalFiles:
    """Download a snapshot's files. Raises IntegrityError when one is gone or changed, TransientError."""
    done = [0]

    def one(numbered: tuple[int, PinnedFile]) -> Path:
        number, file = numbered
        path = folder / f"{number}.parquet"
        path.write_bytes(pinned_bytes(store, snapshot.content, file))
        done[0] += file.size
        progress("fetching", done[0], sum(f.size for f in snapshot.files))
        return path

    paths = in_parallel(one, list(enumerate(snapshot.files)))
    by_table: dict[str, list[Path]] = {"inferences": [], "labels": []}
    for path, file in zip(paths, snapshot.files, strict=True):
        by_table[file.table].append(path)
    return LocalFiles(snapshot, by_table)


def _microseconds(time: object) -> int:
    return int(pa.scalar(time, pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py())
