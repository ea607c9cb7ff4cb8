"""A pass that moves old entries of a table's log into the archive, a thousand at a time. May end anywhere, and be made again.

Readers of Delta tables need the newest checkpoint and what came after it. Everything before that is needed by us alone, for
the notes in it are the offset ranges of all time: it is packed (``lake.archived_log``), read back, and deleted from the log.
An entry's file of the archive is there before the entry is gone, so ``commit_log`` finds each entry in one of the two.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.crashpoints import crash_point
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError
from driftloop.lake.archived_log import archive_path, block_of, last_of, packed
from driftloop.lake.parquet import in_parallel
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStat, ObjectStore
from driftloop.telemetry import get_logger

DEFAULT_KEEP = timedelta(days=7)  # as long as a replaced data file: until then a version can be opened by its number
_LOG = "_delta_log/"
_AT_ONCE = 16  # entries in memory

log = get_logger(__name__)


class LogArchived(Part, frozen=True, kw_only=True):
    """What a pass did, or with ``dry_run`` would do. ``bytes``: of the entries and checkpoints that are no longer in the log."""

    table: str
    dry_run: bool
    entries: int
    checkpoints: int
    bytes: int
    archived_bytes: int  # of the files that hold them now; with ``dry_run`` not known


class _Pointer(Part, frozen=True, kw_only=True):
    version: int


class _Object(NamedTuple):
    version: int
    is_entry: bool  # else a checkpoint
    stat: ObjectStat


def archive_log(table: LakeTable, store: ObjectStore, *, keep: timedelta, now: datetime, dry_run: bool = False) -> LogArchived:
    """Archive every thousand versions that were all written more than ``keep`` ago and lie before the newest checkpoint.

    Safe to run twice at once. Raises TransientError, IntegrityError when the store does not give back what was put.
    """
    entries = checkpoints = size = archived = 0
    for first, objects in _due(table, store, now - keep):
        if not dry_run:
            archived += _archive(table, store, first, [o for o in objects if o.is_entry])
            crash_point("archive.after-store")
            _delete(store, objects)
        entries += sum(o.is_entry for o in objects)
        checkpoints += sum(not o.is_entry for o in objects)
        size += sum(o.stat.size for o in objects)
    if entries and not dry_run:
        log.info("log-archived", table=table.root, entries=entries, bytes=size, archived_bytes=archived)
    return LogArchived(table=table.table, dry_run=dry_run, entries=entries, checkpoints=checkpoints, bytes=size, archived_bytes=archived)


def _due(table: LakeTable, store: ObjectStore, before: datetime) -> Iterator[tuple[int, list[_Object]]]:
    """Blocks of versions whose entries were all written before a time, with what the log has of them. Lists no further."""
    checkpoint = _newest_checkpoint(table, store)
    block: list[_Object] = []
    for found in _objects(table, store):
        if block and block_of(found.version) != block_of(block[0].version):
            yield block_of(block[0].version), block
            block = []
        if last_of(block_of(found.version)) >= checkpoint or (found.is_entry and found.stat.modified >= before):
            return  # of this block, and of those after it, something is still needed
        block.append(found)


def _objects(table: LakeTable, store: ObjectStore) -> Iterator[_Object]:
    """Entries and checkpoints of the log, in order of their versions."""
    prefix = f"{table.root}/{_LOG}"
    for stat in store.list(prefix):
        name = stat.key.removeprefix(prefix)
        number, _, kind = name.partition(".")
        if number.isdecimal() and (kind == "json" or kind.startswith("checkpoint")):
            yield _Object(int(number), kind == "json", stat)


def _newest_checkpoint(table: LakeTable, store: ObjectStore) -> int:
    """Its version, as the log's own pointer says; 0 without one."""
    try:
        pointer = msgspec.json.decode(store.get(f"{table.root}/{_LOG}_last_checkpoint"), type=prepared(_Pointer))
        store.stat(f"{table.root}/{_LOG}{pointer.version:020d}.checkpoint.parquet")
    except (ObjectNotFound, msgspec.MsgspecError):
        return 0
    return pointer.version


def _archive(table: LakeTable, store: ObjectStore, first: int, entries: Sequence[_Object]) -> int:
    """Store the block's file, or see that the one that is there holds what is still in the log; its size."""
    key = f"{table.root}/{archive_path(first)}"
    try:
        size = store.stat(key).size
    except ObjectNotFound:
        data = packed(first, _bytes_of(store, entries), table.log.metadata_before(first))
        store.put(key, data)
        if store.get(key) != data:
            raise IntegrityError(f"{key} is not what was put there") from None
        return len(data)
    for version, data in _bytes_of(store, entries):
        archived = table.log.archived_bytes(version)
        if archived is None:
            raise IntegrityError(f"{key} lacks the entry {version}, which is in the log")
        if archived.splitlines() != data.splitlines():  # by somebody who slept until its name was free: nobody reads it
            log.warning("commit-before-the-log", table=table.root, version=version)
    return size


def _bytes_of(store: ObjectStore, entries: Sequence[_Object]) -> Iterator[tuple[int, bytes]]:
    """Raises TransientError for an entry that another pass has just deleted."""
    for at in range(0, len(entries), _AT_ONCE):
        some = entries[at : at + _AT_ONCE]
        try:
            found = in_parallel(lambda o: store.get(o.stat.key), some)
        except ObjectNotFound as exc:
            raise TransientError(f"{exc}: another pass archives the same entries") from exc
        yield from zip((o.version for o in some), found, strict=True)


def _delete(store: ObjectStore, objects: Sequence[_Object]) -> None:
    """Checkpoints last, for a version is read from the newest one before it."""
    for o in sorted(objects, key=lambda o: (not o.is_entry, o.version)):
        store.delete(o.stat.key)
        crash_point("archive.after-delete")
