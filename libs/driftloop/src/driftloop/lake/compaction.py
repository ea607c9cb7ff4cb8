"""A merge of small files, without stopping whoever appends: read and checked, written under a name of its own, swapped in one commit.

The commit adds the new file and removes the old ones from the table's live set, with ``dataChange`` false. It moves no
cursor, so it fences nobody; an append that comes first makes it look again and try again, and one that comes second
does the same (see ``lake.commit``). The old files stay in the store: snapshots name them, and ``lake.vacuum`` decides.
"""

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from driftloop.crashpoints import crash_point
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError
from driftloop.lake.delta import store_errors
from driftloop.lake.parquet import TOPIC_ID, DataFile, conformed, encode_compacted, in_parallel, intact_files, put_files, sha256_in_name
from driftloop.lake.table import FileEntry, LakeTable
from driftloop.ports import ObjectStore
from driftloop.stored import read_verified
from driftloop.telemetry import get_logger

METADATA_KEY = "driftloop-compaction"  # in the commit's custom metadata; such a commit carries no note
MAX_ATTEMPTS = 30  # against appends that come first
_ORDER = [(name, "ascending") for name in ("event_time", "event_id", "partition", "offset")]

log = get_logger(__name__)


class Merge(NamedTuple):
    """A new file and those that it replaces."""

    file: DataFile
    inputs: tuple[FileEntry, ...]


class DamagedInputs(IntegrityError):
    """Files that are gone or are not what their names say. ``reasons`` by path below the table's root."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons


def merge(table: LakeTable, store: ObjectStore, group: Sequence[FileEntry]) -> list[Merge]:
    """The rows of live files in one file, in order of time; one for each topic id, for rows do not say theirs.

    The same inputs give the same bytes. Raises DamagedInputs, which names all of them: damage is never copied; TransientError.
    """
    read = in_parallel(lambda entry: _rows_or_damage(table, store, entry), group)
    damaged = {entry.path: str(found) for entry, found in zip(group, read, strict=True) if isinstance(found, IntegrityError)}
    if damaged:
        raise DamagedInputs(damaged)
    by_topic: dict[str, list[tuple[FileEntry, pa.Table]]] = {}
    sound = [rows for rows in read if not isinstance(rows, IntegrityError)]
    for entry, rows in zip(group, sound, strict=True):
        topic_id = (rows.schema.metadata or {}).get(TOPIC_ID.encode(), b"").decode()
        by_topic.setdefault(topic_id, []).append((entry, rows))
    return [_merged(table.schema, topic_id, parts) for topic_id, parts in by_topic.items() if len(parts) > 1]


def swap(table: LakeTable, store: ObjectStore, merges: Sequence[Merge]) -> int | None:
    """Store the new files and commit them in their inputs' place; the version, or None when there was nothing left to swap.

    Raises TransientError, also when it is not known whether the commit landed: plan again from the newest version.
    """
    crash_point("compact.before-store")
    put_files(store, table.root, [m.file for m in merges])
    crash_point("compact.after-store")
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, min(0.5, 0.02 * 2**attempt)))
        table.refresh()
        live = {entry.path for entry in table.files()}
        standing = [m for m in merges if all(entry.path in live for entry in m.inputs)]  # another compaction may have been first
        if not standing:
            return None
        if _commit(table, standing):
            crash_point("compact.after-commit")
            _ensure_objects(store, table, standing)
            return table.version
    raise TransientError(f"{table.root}: {MAX_ATTEMPTS} commits of others came first")


def _commit(table: LakeTable, merges: Sequence[Merge]) -> bool:
    """False when somebody else's commit came first."""
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [m.file.add_action(data_change=False) for m in merges]
    actions += [RemoveAction(entry.path, False, now, entry.size) for m in merges for entry in m.inputs]
    about = {"id": uuid.uuid4().hex, "files": sum(len(m.inputs) for m in merges), "rows": sum(m.file.rows for m in merges)}
    properties = CommitProperties(custom_metadata={METADATA_KEY: about}, max_commit_retries=0)
    try:
        with store_errors(table.uri):
            table.delta.create_write_transaction(
                actions=actions, mode="append", schema=table.delta.schema(), partition_by=[], commit_properties=properties
            )
    except CommitFailedError:
        return False
    table.refresh()
    return True


def _rows_or_damage(table: LakeTable, store: ObjectStore, entry: FileEntry) -> pa.Table | IntegrityError:
    try:
        return _rows(table, store, entry)
    except IntegrityError as exc:
        return exc


def _rows(table: LakeTable, store: ObjectStore, entry: FileEntry) -> pa.Table:
    key = f"{table.root}/{entry.path}"
    try:
        data = read_verified(store, key, sha256_in_name(entry.path) or "")
    except ObjectNotFound as exc:
        raise IntegrityError(f"{key} is part of the table and is gone") from exc
    rows = pq.read_table(pa.BufferReader(data), use_threads=False)
    if rows.num_rows != entry.rows:
        raise IntegrityError(f"{key} holds {rows.num_rows} rows, not {entry.rows}")
    return rows


def _merged(schema: pa.Schema, topic_id: str, parts: Sequence[tuple[FileEntry, pa.Table]]) -> Merge:
    rows = pa.concat_tables([conformed(rows, schema) for _, rows in parts])
    rows = rows.take(pc.sort_indices(rows, sort_keys=_ORDER))  # stable
    inputs = tuple(entry for entry, _ in parts)
    return Merge(encode_compacted(rows, topic_id=topic_id, first_input=inputs[0].path), inputs)


def _ensure_objects(store: ObjectStore, table: LakeTable, merges: Sequence[Merge]) -> None:
    """The bytes are let go only after the store has shown each object; a missing one is put again."""
    files = [m.file for m in merges]
    missing = [file for file, intact in zip(files, intact_files(store, table.root, files), strict=True) if not intact]
    if missing:
        log.error("committed-objects-missing", table=table.root, paths=[file.path for file in missing])
        put_files(store, table.root, missing)
