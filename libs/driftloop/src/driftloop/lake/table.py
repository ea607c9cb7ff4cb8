"""A table of the lake: a Delta table whose commits also say how far its topics have been read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from driftloop.errors import ObjectNotFound
from driftloop.lake.commit_log import CommitLog, Entry
from driftloop.lake.cursors import Cursor, TableState, app_id, request_app_id
from driftloop.lake.delta import configure, create_delta, delta_options, evolve, open_delta, store_errors
from driftloop.lake.filesystem import TableFiles
from driftloop.lake.notes import WHOLE_EVERY, CommitNote
from driftloop.rows.schemas import TIME
from driftloop.settings import S3Settings

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["FileEntry", "LakeTable", "app_id", "request_app_id"]


class FileEntry(NamedTuple):
    """One live data file; times from its statistics."""

    path: str
    size: int
    rows: int
    event_time_min: datetime
    event_time_max: datetime


class LakeTable:
    """A handle on one table at one version. ``refresh`` moves it to the newest; a commit is made by ``lake.commit``."""

    def __init__(self, s3: S3Settings, stream: str, table: str, delta: DeltaTable) -> None:
        self.stream, self.table = stream, table
        self.root = f"lake/{stream}/{table}"  # key of the table in the bucket
        self.uri = s3.table_uri(stream, table)
        self.delta = delta
        self._options = delta_options(s3)
        self._files = TableFiles(s3, self.root, self.uri)
        self.log = CommitLog(self._files)

    @classmethod
    def open(cls, s3: S3Settings, stream: str, table: str, schema: pa.Schema | None = None, version: int | None = None) -> "LakeTable":
        """Open at ``version``, by default the newest. With ``schema`` the table is created if it is missing, and gains the
        columns that it lacks; without, a missing table raises ObjectNotFound. Raises TransientError, and
        ConfigurationError when a column's type is another one."""
        uri, options = s3.table_uri(stream, table), delta_options(s3)
        try:
            delta = open_delta(uri, options, version)
        except ObjectNotFound:
            if schema is None:
                raise
            delta = create_delta(uri, options, schema)
        opened = cls(s3, stream, table, delta)
        if schema is not None:
            if configure(delta, uri):
                opened.refresh()
            if evolve(delta, uri, schema):
                opened.refresh()
        return opened

    @property
    def version(self) -> int:
        return int(self.delta.version())

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(self.delta.schema().to_arrow())

    def refresh(self) -> None:
        """Go to the newest version. Raises TransientError."""
        with store_errors(self.uri):
            self.delta.update_incremental()

    def advance(self, note: CommitNote) -> None:
        """Take up a commit that this handle has just made. Raises TransientError after the commit has landed."""
        self.refresh()
        if self.version == note.version:
            self.log.take(note)

    def state(self) -> TableState:
        """Cursors, watermarks and accepted gaps at this version. Raises TransientError."""
        return self.log.state(self.version).state

    def state_at(self, version: int) -> TableState:
        """The same at an older version, also where its data can no longer be opened. Raises ObjectNotFound, TransientError."""
        return CommitLog(self._files).state(version).state

    def committed_at(self) -> datetime | None:
        """The latest time of its commits at this version, by the clocks of those who made them. Raises TransientError."""
        return self.log.state(self.version).at

    def wants_whole_state(self) -> bool:
        """Whether the next commit is to hold the whole state, so that few notes tell it. Raises TransientError."""
        return self.version + 1 - self.log.state(self.version).whole >= WHOLE_EVERY

    def note(self, version: int) -> CommitNote | None:
        """What the commit that made ``version`` says; None if others made it. Raises ObjectNotFound, TransientError."""
        return self.log.note(version)

    def log_entry(self, version: int) -> Entry:
        """The actions of the commit that made ``version``, as the Delta log has them. Raises ObjectNotFound, TransientError."""
        return self.log.entry(version)

    @contextmanager
    def open_file(self, path: str) -> Iterator[pa.NativeFile]:
        """An object below the table's root, to be read in pieces. Raises ObjectNotFound, TransientError."""
        with self._files.open(path) as file:
            yield file

    def cursor(self, app_id: str) -> int | None:
        """The offset to go on from, at this version. Not asked of delta-rs, which reads the log again for each cursor."""
        found = self.state().cursors.get(app_id)
        return None if found is None else found.end

    def cursors(self) -> dict[str, int]:
        """All cursors by app id, at this version."""
        return {name: cursor.end for name, cursor in self.state().cursors.items()}

    def positions(self) -> Mapping[str, Cursor]:
        """All cursors by app id, with the topic, first offset and last commit of each."""
        return self.state().cursors

    def watermarks(self) -> dict[int, datetime]:
        """By partition: event time for inferences, label time for labels. A partition that promised nothing is absent."""
        return {int(partition): mark for partition, mark in self.state().watermarks.items()}

    def files(self, start: datetime | None = None, end: datetime | None = None) -> list[FileEntry]:
        """Live data files with rows in event time ``[start, end)``, judged by their statistics; in path order."""
        with store_errors(self.uri):
            actions = pa.table(self.delta.get_add_actions(flatten=True))
        if not actions.num_rows:
            return []
        columns = [actions.column(n).to_pylist() for n in ("path", "size_bytes", "num_records", "min.event_time", "max.event_time")]
        entries = [FileEntry(*row) for row in zip(*columns, strict=True)]
        return sorted(e for e in entries if (end is None or e.event_time_min < end) and (start is None or e.event_time_max >= start))

    def read(
        self,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows with event time in ``[start, end)``, in no particular order."""
        if version is not None and version != self.version:
            return self.at(version).read(columns, start, end)
        with store_errors(self.uri):
            rows = self.dataset(self.files(start, end))
            return rows.to_table(columns=None if columns is None else list(columns), filter=in_window(start, end))

    def dataset(self, files: Sequence[FileEntry]) -> "ds.Dataset":
        """Some of the table's files under its schema; a column that a file does not have is null. Reads nothing yet;
        wrap what does in ``delta.store_errors``."""
        import pyarrow.dataset as ds  # brings pandas: a trace, which reads no dataset, does without

        return ds.dataset([entry.path for entry in files], schema=self.schema, format="parquet", filesystem=self._files.system)

    def at(self, version: int) -> "LakeTable":
        """A handle on another version. Raises ObjectNotFound, TransientError."""
        return self._at(open_delta(self.uri, self._options, version))

    def newest(self) -> "LakeTable":
        """A handle on the newest version; this one stays where it is. Raises TransientError."""
        return self._at(open_delta(self.uri, self._options))

    def _at(self, delta: DeltaTable) -> "LakeTable":
        other = object.__new__(LakeTable)
        other.__dict__.update(self.__dict__, delta=delta, log=CommitLog(self._files))
        return other


def in_window(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    """Filter on event time in ``[start, end)``; None when there is no bound."""
    bounds = []
    if start is not None:
        bounds.append(pc.field("event_time") >= pa.scalar(start, TIME))
    if end is not None:
        bounds.append(pc.field("event_time") < pa.scalar(end, TIME))
    return None if not bounds else bounds[0] if len(bounds) == 1 else bounds[0] & bounds[1]
