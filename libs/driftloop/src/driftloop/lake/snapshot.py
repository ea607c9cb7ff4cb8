"""A snapshot: the version of data that something was trained on, named by what it contains and read from its own files.

Two clocks: event time says what happened, offsets say what was known. The digest covers both, the schema and the split
rule, but not the file list: a compaction rewrites files and not content.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.contracts.events import TABLES, Table
from driftloop.contracts.names import Digest
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import OffsetRange, Part, StreamName, Time
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.cursors import Uncapped
from driftloop.lake.manifests import Expired, manifests_of, snapshot_key
from driftloop.lake.parquet import in_parallel
from driftloop.lake.pinned_rows import rows_below
from driftloop.lake.row_cut import FIRST_RULE, RowCut
from driftloop.lake.split import SplitRule
from driftloop.lake.table import in_window
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import lake_schema
from driftloop.stored import read_verified

if TYPE_CHECKING:
    from driftloop.lake.join import JoinCounts


class PinnedRange(OffsetRange, frozen=True, kw_only=True):
    """Everything that a table had taken up of one partition."""

    table: Table
    cursor: str


class Content(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What the digest covers. A field with a default is not written where it has that: digests of before stay."""

    stream: StreamName
    start: Time | None  # event time; null: from the beginning
    end: Time
    ranges: tuple[PinnedRange, ...]  # by table and cursor
    schema_fingerprint: Digest
    split: SplitRule
    join: int = FIRST_RULE  # by which copies of a row and labels are chosen (``lake.join``)
    uncapped: Uncapped | None = None  # labels that may be dated wrongly (``lake.label_times``)

    def digest(self) -> str:
        """sha256 of the canonical JSON, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    def ends(self, table: str) -> dict[str, int]:
        """By cursor, the first offset of one table that is not in the content."""
        return {r.cursor: r.end for r in self.ranges if r.table == table}

    @property
    def cut(self) -> RowCut:
        """Which rows of the pinned files are content, and how they are joined."""
        ends: dict[str, dict[str, int] | None] = {table: self.ends(table) for table in TABLES}
        return RowCut(self.start, self.end, ends, self.uncapped, self.join)


class PinnedFile(Part, frozen=True, kw_only=True):
    """A data file that held part of the content when it was pinned."""

    table: Table
    path: str  # below the table's root
    sha256: Digest
    size: int
    rows: int


class Snapshot(Part, frozen=True, kw_only=True):
    """The manifest. The versions are those of the Delta tables, for people who read them with other tools."""

    content: Content
    files: tuple[PinnedFile, ...]
    inferences_version: int
    labels_version: int
    schema: StreamSchema | None = None  # its fingerprint is in the content; null in manifests of earlier programs

    @property
    def digest(self) -> str:
        return self.content.digest()

    @property
    def rows(self) -> dict[str, int]:
        """Rows in the pinned files, by table; those outside of the event-time window included."""
        return {t: sum(f.rows for f in self.files if f.table == t) for t in TABLES}


def load_snapshot(store: ObjectStore, stream: str, digest: str) -> Snapshot:
    """The manifest that stands for a digest. Raises ObjectNotFound, also for one that was given up; TransientError; and
    IntegrityError when the stored manifest is not the one that was named."""
    found = manifests_of(store, stream, digest)
    if found.standing is None and found.end is not None:
        raise ObjectNotFound(f"snapshot {digest}: {_end(store, found.end)}")
    return read_manifest(store, snapshot_key(stream, digest) if found.standing is None else found.standing.key, digest)


def read_manifest(store: ObjectStore, key: str, digest: str) -> Snapshot:
    """One manifest by its key. Raises as ``load_snapshot``."""
    try:
        snapshot = msgspec.json.decode(store.get(key), type=prepared(Snapshot))
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise IntegrityError(f"{key}: {exc}") from exc
    if snapshot.digest != digest:
        raise IntegrityError(f"{key} holds the manifest {snapshot.digest}")
    for file in snapshot.files:  # the digest does not cover them
        if ".." in file.path.split("/") or file.path.startswith("/"):
            raise IntegrityError(f"{key} names a file outside of its table: {file.path[:200]!r}")
    if snapshot.schema is not None and snapshot.schema.fingerprint() != snapshot.content.schema_fingerprint:
        raise IntegrityError(f"{key} names the schema {snapshot.content.schema_fingerprint} and holds another")
    return snapshot


def _end(store: ObjectStore, key: str) -> str:
    try:
        end = msgspec.json.decode(store.get(key), type=prepared(Expired))
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise IntegrityError(f"{key}: {exc}") from exc
    return f"given up by {end.by} at {end.at.isoformat(timespec='seconds')}: {end.reason}"


def read_snapshot(
    store: ObjectStore,
    snapshot: Snapshot,
    schema: StreamSchema,
    *,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    counts: "JoinCounts | None" = None,
) -> pa.Table:
    """The snapshot's joined rows (see ``lake.join``), from exactly the pinned bytes: each file is checked before it is read.

    Raises IntegrityError when a file is gone or changed, or the schema is another one; TransientError.
    """
    content = snapshot.content
    if schema.fingerprint() != content.schema_fingerprint:
        raise IntegrityError(f"snapshot {snapshot.digest} was pinned under the schema {content.schema_fingerprint}")
    inferences = pinned_rows(store, snapshot, "inferences", lake_schema(schema, "inferences"))
    labels = pinned_rows(store, snapshot, "labels", content.cut.columns("labels", lake_schema(schema, "labels")))
    from driftloop.lake.join import join  # brings DuckDB: only for those who read rows, not for all who read manifests

    return join(inferences, labels, columns=columns, keep_unlabelled=keep_unlabelled, rule=content.join, counts=counts)


def pinned_rows(store: ObjectStore, snapshot: Snapshot, name: str, wanted: pa.Schema) -> pa.Table:
    """The wanted columns of one table's pinned files, each checked first; in no particular order.

    Raises IntegrityError when a file is gone or changed, TransientError.
    """
    files = [f for f in snapshot.files if f.table == name]
    parts = in_parallel(lambda file: _rows(store, snapshot.content, file, wanted), files)
    return pa.concat_tables([wanted.empty_table(), *parts])


def pinned_bytes(store: ObjectStore, content: Content, file: PinnedFile) -> bytes:
    """The bytes that were pinned, and no others. Raises IntegrityError, TransientError."""
    key = f"lake/{content.stream}/{file.table}/{file.path}"
    try:
        return read_verified(store, key, file.sha256)
    except ObjectNotFound as exc:
        raise IntegrityError(f"{key} was pinned and is gone") from exc


def _rows(store: ObjectStore, content: Content, file: PinnedFile, wanted: pa.Schema) -> pa.Table:
    parquet = pq.ParquetFile(pa.BufferReader(pinned_bytes(store, content, file)))
    rows = rows_below(parquet, content.ends(file.table), wanted, uncapped=content.uncapped)
    window = in_window(content.start, content.end)
    return rows if window is None or _all_within(rows, content) else rows.filter(window)


def _all_within(rows: pa.Table, content: Content) -> bool:
    """Whether there is nothing to leave out: a filter copies all rows."""
    span = pc.min_max(rows.column("event_time")).as_py()
    first, last = span["min"], span["max"]
    return first is None or (last < content.end and (content.start is None or first >= content.start))
