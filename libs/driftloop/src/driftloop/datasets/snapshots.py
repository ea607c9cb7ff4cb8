"""Snapshots in the store: which there are, one by the beginning of its digest, the schema that one was pinned under."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from driftloop.contracts.names import is_name
from driftloop.contracts.schema import StreamSchema
from driftloop.datasets.dataset import Batches
from driftloop.errors import IntegrityError, UserError
from driftloop.lake.manifests import listed_manifests
from driftloop.lake.snapshot import Snapshot, load_snapshot
from driftloop.lake.snapshot_batches import batches_schema, snapshot_batches
from driftloop.ports import ObjectStat, ObjectStore
from driftloop.project.archives import find_schema
from driftloop.rows.schemas import lake_schema

_BEGINNING = re.compile(r"[0-9a-f]{1,64}")


class Stored(NamedTuple):
    """A manifest in the store. ``pinned_at``: wall time of the store."""

    stream: str
    digest: str
    pinned_at: datetime


def stored_snapshots(store: ObjectStore, stream: str | None = None) -> list[Stored]:
    """Oldest first. Raises TransientError."""
    return sorted(_listed(store, "snapshots/" if stream is None else f"snapshots/{stream}/"), key=lambda s: (s.pinned_at, s.digest))


def find_snapshot(store: ObjectStore, beginning: str, stream: str | None = None) -> tuple[str, str]:
    """Stream and digest of the only snapshot whose digest begins so. Raises UserError."""
    if not _BEGINNING.fullmatch(beginning):
        raise UserError(f"{beginning[:80]!r} is not the beginning of a digest (lower-case hex digits); see `driftloop datasets list`")
    found = [s for s in _listed(store, "snapshots/" if stream is None else f"snapshots/{stream}/") if s.digest.startswith(beginning)]
    if len(found) != 1:
        raise UserError(f"{len(found)} snapshots have a digest that begins with {beginning!r}; see `driftloop datasets list`")
    return found[0].stream, found[0].digest


def schema_of(store: ObjectStore, snapshot: Snapshot) -> StreamSchema:
    """The schema in the manifest; for manifests without one, that of an archived project with the same fingerprint.

    Raises IntegrityError when no project has it, TransientError.
    """
    if snapshot.schema is not None:
        return snapshot.schema
    schema = find_schema(store, snapshot.content.schema_fingerprint)
    if schema is not None:
        return schema
    raise IntegrityError(f"snapshot {snapshot.digest}: no project in the store has its schema {snapshot.content.schema_fingerprint}")


def snapshot_rows(
    store: ObjectStore, stream: str, digest: str, *, columns: list[str] | None = None, labelled_only: bool = False
) -> tuple[pa.Schema, Batches, Snapshot]:
    """Exactly the pinned rows, joined with their labels and ordered; every file is checked before it is read.

    Raises ObjectNotFound, TransientError, UserError for an unknown column, and IntegrityError when reading what is not intact.
    """
    snapshot = load_snapshot(store, stream, digest)
    schema = schema_of(store, snapshot)
    known = lake_schema(schema, "inferences")
    for name in columns or ():
        if name not in known.names:
            raise UserError(f"snapshot {digest[:12]} has no column {name!r}; it has {', '.join(known.names)}")
    chosen = columns or None

    def batches(rows: int) -> Iterator[pa.RecordBatch]:
        for batch in snapshot_batches(store, snapshot, schema, columns=chosen, keep_unlabelled=not labelled_only):
            yield from pa.Table.from_batches([batch]).to_batches(max_chunksize=rows)

    return batches_schema(schema, chosen), batches, snapshot


def _listed(store: ObjectStore, prefix: str) -> Iterator[Stored]:
    """Those that stand."""
    by_stream: dict[str, list[ObjectStat]] = {}
    for found in store.list(prefix):
        by_stream.setdefault(found.key.split("/")[1], []).append(found)
    for stream, some in by_stream.items():
        for digest, manifests in listed_manifests(some).items():
            if is_name(stream) and manifests.standing is not None:
                yield Stored(stream, digest, manifests.standing.modified)
