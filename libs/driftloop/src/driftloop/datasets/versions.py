"""The versions of a table: what each commit added, from which offsets, under which columns."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import Schema

from driftloop.contracts.names import Digest
from driftloop.contracts.values import OffsetRange, Part, StreamName, Time
from driftloop.errors import ObjectNotFound
from driftloop.lake.notes import decode_note
from driftloop.lake.parquet import in_parallel
from driftloop.lake.table import LakeTable


class TableSummary(Part, frozen=True, kw_only=True):
    """A table at one version. ``ranges``: all that was ever taken up of each topic partition."""

    stream: StreamName
    table: str
    version: int
    rows: int
    files: int
    bytes: int
    event_time_min: Time | None
    event_time_max: Time | None
    watermark: Time | None  # the lowest of the partitions'
    ranges: tuple[OffsetRange, ...]
    columns: dict[str, str]  # Arrow type by name
    schema_fingerprint: Digest


class TableVersion(Part, frozen=True, kw_only=True):
    """What one commit did. ``operation``: WRITE by ingest, else what others call theirs, such as OPTIMIZE."""

    version: int
    at: Time | None
    operation: str
    rows: int  # that the commit added
    event_time_min: Time | None
    event_time_max: Time | None
    ranges: tuple[OffsetRange, ...]  # that the commit took up
    schema_fingerprint: Digest


def columns_fingerprint(schema: pa.Schema) -> str:
    """sha256 of the columns' names, types and whether they may be null, hex; metadata does not count."""
    columns = [[field.name, str(field.type), field.nullable] for field in schema]
    return hashlib.sha256(json.dumps(columns, separators=(",", ":")).encode()).hexdigest()


def summary(table: LakeTable) -> TableSummary:
    """Raises TransientError."""
    files, marks, schema = table.files(), table.watermarks().values(), table.schema
    return TableSummary(
        stream=table.stream,
        table=table.table,
        version=table.version,
        rows=sum(f.rows for f in files),
        files=len(files),
        bytes=sum(f.size for f in files),
        event_time_min=min((f.event_time_min for f in files), default=None),
        event_time_max=max((f.event_time_max for f in files), default=None),
        watermark=min(marks, default=None),
        ranges=_ranges(table.positions().values()),
        columns={field.name: str(field.type) for field in schema},
        schema_fingerprint=columns_fingerprint(schema),
    )


def newest_versions(table: LakeTable, limit: int) -> list[TableVersion]:
    """The newest commits, newest first; fewer when the log does not reach back as far. Raises TransientError."""
    numbers = range(table.version, max(-1, table.version - limit), -1)
    entries = in_parallel(lambda number: _entry(table, number), numbers)
    found: list[TableVersion] = []
    fingerprint = columns_fingerprint(table.schema)
    for number, actions in zip(numbers, entries, strict=True):
        if actions is None:
            break
        found.append(_version(number, actions, fingerprint))
        if any("metaData" in action for action in actions) and number > 0:  # the versions before have other columns
            fingerprint = columns_fingerprint(columns_at(table, number - 1))
    return found


def columns_at(table: LakeTable, version: int) -> pa.Schema:
    """The columns that the table had at a version. Raises ObjectNotFound, TransientError."""
    try:
        return table.at(version).schema
    except ObjectNotFound:  # its log is in the archive
        metadata = table.log.metadata_before(version + 1)
    if metadata is None:
        raise ObjectNotFound(f"the columns of {table.root} at version {version}")
    return pa.schema(Schema.from_json(metadata["schemaString"]).to_arrow())


def _entry(table: LakeTable, number: int) -> list[dict[str, object]] | None:
    try:
        return table.log_entry(number)
    except ObjectNotFound:
        return None


def _version(number: int, actions: Sequence[dict[str, object]], fingerprint: str) -> TableVersion:
    info: dict[str, object] = next((dict(a["commitInfo"]) for a in actions if "commitInfo" in a), {})  # type: ignore[call-overload]
    note, stamp = decode_note(info), info.get("timestamp")
    at = note.at if note else datetime.fromtimestamp(stamp / 1000, UTC) if isinstance(stamp, int) else None
    return TableVersion(
        version=number,
        at=at,
        operation=str(info.get("operation", "unknown")),
        rows=note.rows if note else 0,
        event_time_min=note.event_time_min if note else None,
        event_time_max=note.event_time_max if note else None,
        ranges=_ranges(note.moves) if note else (),
        schema_fingerprint=fingerprint,
    )


def _ranges(ranges: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
    """Plain ranges, by topic and partition."""
    plain = [OffsetRange(topic=r.topic, topic_id=r.topic_id, partition=r.partition, start=r.start, end=r.end) for r in ranges]
    return tuple(sorted(plain, key=lambda r: (r.topic, r.partition, r.topic_id)))
