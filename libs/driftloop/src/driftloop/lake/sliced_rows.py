"""A table's local files as slices of event time. Row groups that lie in many slices are split up once, into pieces on disk."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftloop.lake.local_files import LocalFiles, Progress
from driftloop.lake.slices import Cuts, Group, first_and_last, slices_of

_WIDE = 3  # slices; a group in fewer is read again for each, which is cheaper than to write it down again


class SlicedRows:
    """Rows of one table, slice by slice. The pieces are below ``folder``."""

    def __init__(self, files: LocalFiles, table: str, groups: Sequence[Group], cuts: Cuts, wanted: pa.Schema, folder: Path) -> None:
        self._files, self._table, self._cuts, self._wanted, self._folder = files, table, cuts, wanted, folder
        self._groups: dict[int, list[Group]] = {}  # by slice
        self._wide = []
        for group in groups:
            first, last = first_and_last(cuts, group)
            if last - first >= _WIDE:
                self._wide.append(group)
            else:
                for number in range(first, last + 1):
                    self._groups.setdefault(number, []).append(group)

    def split_wide(self, progress: Progress) -> None:
        """Write the pieces; before any slice is read."""
        with ExitStack() as opened:
            writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}
            for done, group in enumerate(self._wide):
                rows = self._files.rows(self._table, group.file, [group.number], self._wanted)
                numbers = slices_of(self._cuts, times_of(rows))
                order = np.argsort(numbers, kind="stable")
                rows, numbers = rows.take(pa.array(order)), numbers[order]
                starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]) if len(numbers) else np.empty(0, np.int64)
                for at, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
                    number = int(numbers[at])
                    if number not in writers:
                        writers[number] = opened.enter_context(pa.ipc.new_file(str(self._piece(number)), self._wanted))
                    writers[number].write_table(rows.slice(at, end - at))
                progress(f"splitting {self._table}", done + 1, len(self._wide))

    def rows(self, number: int) -> pa.Table:
        """All rows of a slice, in no particular order."""
        by_file: dict[int, list[int]] = {}
        for group in self._groups.get(number, ()):
            by_file.setdefault(group.file, []).append(group.number)
        parts = [self._within(self._files.rows(self._table, file, groups, self._wanted), number) for file, groups in by_file.items()]
        piece = self._piece(number)
        if piece.exists():
            with pa.ipc.open_file(str(piece)) as file:
                parts.append(file.read_all())
        return pa.concat_tables([self._wanted.empty_table(), *parts])

    def _within(self, rows: pa.Table, number: int) -> pa.Table:
        inside = slices_of(self._cuts, times_of(rows)) == number
        return rows if inside.all() else rows.filter(pa.array(inside))

    def _piece(self, number: int) -> Path:
        return self._folder / f"{self._table}-{number}.arrow"


def times_of(rows: pa.Table) -> npt.NDArray[np.int64]:
    """Event times in microseconds since the epoch."""
    times: npt.NDArray[np.int64] = rows.column("event_time").cast(pa.int64()).to_numpy()
    return times
