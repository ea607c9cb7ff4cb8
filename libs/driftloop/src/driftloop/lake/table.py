"""A table of the lake: a Delta table whose commits also say how far its topics have been read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from driftloop.errors import ObjectNotFound
from driftloop.lake.cursors import CommitNote, Cursor, TableState, app_id, decode_note, request_app_id
from driftloop.lake.delta import configure, create_delta, delta_options, evolve, open_delta, store_errors
from driftloop.lake.filesystem import table_files
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
        self._files = table_files(s3, self.root)
        self._state: TableState | None = None
        self._transactions: dict[str, int | None] = {}  # at this version; asking delta-rs reads the log

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
        before = self.version
        with store_errors(self.uri):
            self.delta.update_incremental()
        if self.version != before:
            self._state, self._transactions = None, {}

    def advance(self, note: CommitNote) -> None:
        """Take up a commit that this handle has just made. Raises TransientError after the commit has landed."""
        self.refresh()
        if self.version == note.version:
            self._state = TableState(cursors=note.cursors, watermarks=note.watermarks)
            self._transactions = {name: cursor.end for name, cursor in note.cursors.items()}

    def state(self) -> TableState:
        """Cursors and watermarks at this version; reads the newest commit once per version."""
        if self._state is None:
            self._state = TableState()
            for version in range(self.version, 0, -1):  # others' commits, such as a compaction, carry no note
                note = self.note(version)
                if note is not None:
                    self._state = TableState(cursors=note.cursors, watermarks=note.watermarks)
                    break
        return self._state

    def note(self, version: int) -> CommitNote | None:
        """What the commit that made ``version`` says; None if others made it. Raises ObjectNotFound, TransientError."""
        for action in self.log_entry(version):
            if "commitInfo" in action:
                return decode_note(action["commitInfo"])
        return None

    def log_entry(self, version: int) -> list[dict[str, Any]]:
        """The actions of the commit that made ``version``, as the Delta log has them. Raises ObjectNotFound, TransientError."""
        with self.open_file(f"_delta_log/{version:020d}.json") as file:
            return [json.loads(line) for line in file.read().splitlines()]

    @contextmanager
    def open_file(self, path: str) -> Iterator[pa.NativeFile]:
        """An object below the table's root, to be read in pieces. Raises ObjectNotFound, TransientError."""
        with store_errors(self.uri):
            try:
                file = self._files.open_input_file(path)
            except FileNotFoundError as exc:
                raise ObjectNotFound(f"{self.root}/{path}") from exc
            with file:
                yield file

    def cursor(self, app_id: str) -> int | None:
        """The offset to go on from, at this version."""
        if app_id not in self._transactions:
            with store_errors(self.uri):
                found = self.delta.transaction_version(app_id)
            self._transactions[app_id] = None if found is None else int(found)
        return self._transactions[app_id]

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

        return ds.dataset([entry.path for entry in files], schema=self.schema, format="parquet", filesystem=self._files)

    def at(self, version: int) -> "LakeTable":
        """A handle on another version. Raises ObjectNotFound, TransientError."""
        return self._at(open_delta(self.uri, self._options, version))

    def newest(self) -> "LakeTable":
        """A handle on the newest version; this one stays where it is. Raises TransientError."""
        return self._at(open_delta(self.uri, self._options))

    def _at(self, delta: DeltaTable) -> "LakeTable":
        other = object.__new__(LakeTable)
        other.__dict__.update(self.__dict__, delta=delta, _state=None, _transactions={})
        return other


def in_window(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    """Filter on event time in ``[start, end)``; None when there is no bound."""
    bounds = []
    if start is not None:
        bounds.append(pc.field("event_time") >= pa.scalar(start, TIME))
    if end is not None:
        bounds.append(pc.field("event_time") < pa.scalar(end, TIME))
    return None if not bounds else bounds[0] if len(bounds) == 1 else bounds[0] & bounds[1]
