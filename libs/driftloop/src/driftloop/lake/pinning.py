"""Pinning: which files hold a snapshot's content, written down so that none of them is ever deleted."""

import hashlib
from datetime import datetime

import msgspec

from driftloop.contracts.events import TABLES, Table
from driftloop.crashpoints import crash_point
from driftloop.errors import TransientError
from driftloop.lake.manifests import manifests_of, snapshot_key
from driftloop.lake.parquet import sha256_in_name
from driftloop.lake.snapshot import Content, PinnedFile, PinnedRange, Snapshot, read_manifest
from driftloop.lake.split import SplitRule
from driftloop.lake.table import FileEntry, LakeTable
from driftloop.lake.tombstones import doomed
from driftloop.ports import ObjectStore
from driftloop.project.model import Project

_PIN_ATTEMPTS = 5


def pin(
    store: ObjectStore, project: Project, inferences: LakeTable, labels: LakeTable, *, start: datetime | None, end: datetime
) -> tuple[str, Snapshot]:
    """Pin what the tables hold at their handles' versions, store the manifest and return its digest.

    The first manifest of a digest stands: a later one would differ in its files only. When one of its files is about to
    be deleted (see ``lake.tombstones``) the same content is pinned from the newest files, in a manifest under the next key.
    Raises TransientError, IntegrityError when the manifest that stands is damaged.
    """
    content = Content(
        stream=project.stream,
        start=start,
        end=end,
        ranges=tuple(sorted((*_ranges(inferences), *_ranges(labels)), key=lambda r: (r.table, r.cursor))),
        schema_fingerprint=project.schema.fingerprint(),
        split=SplitRule(key=project.split_key, salt=project.split_salt),
    )
    digest = content.digest()
    for _ in range(_PIN_ATTEMPTS):
        known = manifests_of(store, project.stream, digest)
        if known.standing is not None:
            stored = read_manifest(store, known.standing.key, digest)
            if not _doomed(store, stored):
                return digest, stored
        snapshot = Snapshot(
            content=content,
            files=tuple(_pinned(store, table, entry) for table in (inferences, labels) for entry in table.files(start, end)),
            inferences_version=inferences.version,
            labels_version=labels.version,
            schema=project.schema,
        )
        if not _doomed(store, snapshot):  # before it is stored, so that a manifest in the store hardly ever names what is gone
            crash_point("pin.before-manifest")
            key = snapshot_key(project.stream, digest, known.number + 1)
            if not store.put_if_absent(key, msgspec.json.encode(snapshot, order="deterministic")):
                continue  # somebody else has pinned the same: theirs stands
            crash_point("pin.after-manifest")
            if not _doomed(store, snapshot):
                return digest, snapshot
        inferences, labels = inferences.newest(), labels.newest()  # with later rows among theirs; reading leaves those out
    raise TransientError(f"the files of {project.stream} are being replaced and deleted faster than they can be pinned")


def _ranges(table: LakeTable) -> list[PinnedRange]:
    name: Table = "inferences" if table.table == "inferences" else "labels"
    return [
        PinnedRange(table=name, cursor=cursor, topic=c.topic, topic_id=c.topic_id, partition=c.partition, start=c.start, end=c.end)
        for cursor, c in table.positions().items()
    ]


def _doomed(store: ObjectStore, snapshot: Snapshot) -> list[str]:
    """Pinned files that are marked for deletion, or gone."""
    found = []
    for name in TABLES:
        root = f"lake/{snapshot.content.stream}/{name}"
        found += doomed(store, root, [file.path for file in snapshot.files if file.table == name])
    return found


def _pinned(store: ObjectStore, table: LakeTable, entry: FileEntry) -> PinnedFile:
    sha256 = sha256_in_name(entry.path) or hashlib.sha256(store.get(f"{table.root}/{entry.path}")).hexdigest()
    name: Table = "inferences" if table.table == "inferences" else "labels"
    return PinnedFile(table=name, path=entry.path, sha256=sha256, size=entry.size, rows=entry.rows)
