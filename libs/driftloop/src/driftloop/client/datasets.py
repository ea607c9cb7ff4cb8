"""Versions of the data in the lake, and the snapshots that models were trained on."""

from datetime import datetime

from driftloop.client.arguments import SHOWN_CHARACTERS, stream_name
from driftloop.client.connections import Connections
from driftloop.client.models import registered_streams
from driftloop.client.training_use import training_use
from driftloop.contracts.events import TABLES
from driftloop.contracts.names import Digest
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Part, StreamName, Time
from driftloop.datasets.diff_inputs import TableRef, open_table, table_ref
from driftloop.datasets.snapshots import find_snapshot, schema_of, stored_snapshots
from driftloop.datasets.versions import TableSummary, TableVersion, newest_versions, summary
from driftloop.errors import ObjectNotFound, UserError
from driftloop.history.training_use import TrainedOn
from driftloop.lake.snapshot import PinnedRange, Snapshot, load_snapshot
from driftloop.lake.split import SplitRule
from driftloop.lake.table import LakeTable


class TableHistory(TableSummary, frozen=True, kw_only=True):
    """A table with its newest versions, newest first."""

    versions: tuple[TableVersion, ...]


class SnapshotSummary(Part, frozen=True, kw_only=True):
    """A snapshot and who was trained on it. ``rows``: in its files, by table; ``pinned_at``: wall time of the store."""

    stream: StreamName
    digest: Digest
    start: Time | None
    end: Time
    rows: dict[str, int]
    files: int
    pinned_at: Time
    schema_fingerprint: Digest
    ranges: tuple[PinnedRange, ...]
    split: SplitRule
    trained: tuple[TrainedOn, ...]


class Datasets(Part, frozen=True, kw_only=True):
    """Tables by stream and name, and snapshots, oldest first."""

    tables: tuple[TableHistory, ...]
    snapshots: tuple[SnapshotSummary, ...]


class SnapshotDetails(Part, frozen=True, kw_only=True):
    """What a snapshot covers, the schema that it was pinned under, and who was trained on it."""

    snapshot: Snapshot
    digest: Digest
    schema: StreamSchema
    trained: tuple[TrainedOn, ...]


def datasets(to: Connections, stream: str | None, limit: int) -> Datasets:
    """Of one stream, or of all; ``limit``: how many of each table's newest versions. Raises UserError, TransientError."""
    stored = stored_snapshots(to.store)
    streams = _streams(to, stream, {s.stream for s in stored})
    trained = training_use(to)
    tables = [table for name in streams for table_name in TABLES if (table := _opened(to, name, table_name))]
    snapshots = [
        _summary(load_snapshot(to.store, s.stream, s.digest), s.pinned_at, trained.get(s.digest, [])) for s in stored if s.stream in streams
    ]
    return Datasets(tables=tuple(_history(table, limit) for table in tables), snapshots=tuple(snapshots))


def named_table(ref: str) -> TableRef:
    """Raises UserError when ``ref`` does not look like a table."""
    named = table_ref(ref)
    if named is None:
        raise UserError(f"{ref[:SHOWN_CHARACTERS]!r} is no table: STREAM/inferences or STREAM/labels, with @VERSION if wanted")
    return named


def table_history(to: Connections, ref: TableRef, limit: int) -> TableHistory:
    """Raises UserError when there is no such table or version, TransientError."""
    return _history(open_table(to.s3, ref), 1 if ref.version is not None else limit)


def snapshot_details(to: Connections, beginning: str) -> SnapshotDetails:
    """The only snapshot whose digest begins so. Raises UserError, IntegrityError, TransientError."""
    stream, digest = find_snapshot(to.store, beginning)
    snapshot = load_snapshot(to.store, stream, digest)
    trained = training_use(to).get(digest, [])
    return SnapshotDetails(snapshot=snapshot, digest=digest, schema=schema_of(to.store, snapshot), trained=tuple(trained))


def _streams(to: Connections, stream: str | None, with_snapshots: set[str]) -> list[str]:
    if stream is not None:
        stream_name(stream)
    known = sorted({*registered_streams(to.registry), *with_snapshots})
    if stream is not None and stream not in known:
        raise UserError(
            f"no stream {stream!r} is known; there is {', '.join(known) or 'none: register a project with driftloop up --project DIR'}"
        )
    return known if stream is None else [stream]


def _opened(to: Connections, stream: str, name: str) -> LakeTable | None:
    try:
        return LakeTable.open(to.s3, stream, name)
    except ObjectNotFound:  # nothing was ingested yet
        return None


def _history(table: LakeTable, limit: int) -> TableHistory:
    about = summary(table)
    return TableHistory(
        **{field: getattr(about, field) for field in about.__struct_fields__}, versions=tuple(newest_versions(table, limit))
    )


def _summary(snapshot: Snapshot, pinned_at: datetime, trained: list[TrainedOn]) -> SnapshotSummary:
    content = snapshot.content
    return SnapshotSummary(
        stream=content.stream,
        digest=snapshot.digest,
        start=content.start,
        end=content.end,
        rows=snapshot.rows,
        files=len(snapshot.files),
        pinned_at=pinned_at,
        schema_fingerprint=content.schema_fingerprint,
        ranges=content.ranges,
        split=content.split,
        trained=tuple(trained),
    )
