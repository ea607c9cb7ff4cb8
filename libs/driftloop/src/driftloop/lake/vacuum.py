"""Deletion of data files that nobody names any more: neither the table nor the manifest of any snapshot.

A file is a candidate only when no writer, however long it was asleep, can still commit it: a flush's file when the
cursor of its topic has passed its first offset (such a flush is fenced), a compaction's when a file that it was to
replace is no longer part of the table. A candidate is marked (see ``lake.tombstones``); a mark older than the grace period
leads to deletion, if the table and the manifests, both read again, do not name the file.

What others wrote below the table's key is never touched.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from driftloop.crashpoints import crash_point
from driftloop.errors import ObjectNotFound
from driftloop.lake.cursors import app_id
from driftloop.lake.parquet import FIRST_INPUT, TOPIC_ID, file_name, in_parallel
from driftloop.lake.pin_index import PinIndex
from driftloop.lake.table import LakeTable
from driftloop.lake.tombstones import mark_key, marks
from driftloop.ports import ObjectStat, ObjectStore
from driftloop.telemetry import get_logger

DEFAULT_GRACE = timedelta(days=7)  # as Delta's own: readers of an old version finish, people look at it by its number
_NOT_DATA = ("_delta_log", "_upkeep")  # folders, in key order

log = get_logger(__name__)


class Candidates(NamedTuple):
    """What a look at the store found, by path below the table's root. ``foreign``: neither of ours nor of the table."""

    dead: tuple[ObjectStat, ...]  # may be marked
    due: tuple[ObjectStat, ...]  # marked for longer than the grace period
    waiting: int  # marked for less
    foreign: int

    @property
    def bytes(self) -> int:
        return sum(found.size for found in (*self.dead, *self.due))


class Cleaned(NamedTuple):
    """``bytes`` were freed by deleting ``deleted`` files; ``kept`` are marked, due, and named by a snapshot or the table."""

    marked: int
    deleted: int
    bytes: int
    kept: int


def look(table: LakeTable, store: ObjectStore, *, grace: timedelta, now: datetime) -> Candidates:
    """What ``clean`` would do; changes nothing. Raises TransientError, IntegrityError when a manifest cannot be read."""
    return _look(table, store, _pins(table, store), grace, now)


def clean(
    table: LakeTable,
    store: ObjectStore,
    *,
    grace: timedelta,
    now: Callable[[], datetime],
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Cleaned:
    """Mark what is dead, delete what has been marked for the grace period and is still named by nobody.

    ``now``: wall time, compared with the store's. Safe to end anywhere and to run twice at once. Raises as ``look``.
    """
    pins = _pins(table, store)
    found = _look(table, store, pins, grace, now())
    for number, file in enumerate(found.dead):
        path = file.key.removeprefix(f"{table.root}/")
        store.put(mark_key(table.root, path), b"to be deleted\n")
        crash_point("clean.after-mark")
        progress("marked", number + 1, len(found.dead))
    old = [path for path, mark in marks(store, table.root).items() if now() - mark.modified >= grace]
    named = _named(table, pins) if old else frozenset()  # again, after the marks were seen
    pins.save()
    due = [path for path in old if path not in named]
    sizes = {f.key: f.size for f in (*found.dead, *found.due)}
    for number, path in enumerate(due):
        crash_point("clean.before-delete")
        store.delete(f"{table.root}/{path}")
        crash_point("clean.after-delete")
        store.delete(mark_key(table.root, path))
        progress("deleted", number + 1, len(due))
    freed = sum(sizes.get(f"{table.root}/{path}", 0) for path in due)
    if found.dead or due:
        log.info("lake-cleaned", table=table.root, marked=len(found.dead), deleted=len(due), bytes=freed)
    return Cleaned(marked=len(found.dead), deleted=len(due), bytes=freed, kept=len(old) - len(due))


def _look(table: LakeTable, store: ObjectStore, pins: PinIndex, grace: timedelta, now: datetime) -> Candidates:
    files = {found.key.removeprefix(f"{table.root}/"): found for found in _stored_files(store, table.root)}
    marked = marks(store, table.root)
    named = _named(table, pins)  # after the listing: a file that was listed before its commit is seen to be live
    loose = {path: f for path, f in files.items() if path not in named}
    ours = [path for path in loose if file_name(path) is not None]
    unmarked = [path for path in ours if path not in marked]
    live = {entry.path for entry in table.files()}
    ends = table.cursors()
    dead = in_parallel(lambda path: _dead(path, _metadata(table, path), live, ends), unmarked)
    old = [path for path, mark in marked.items() if now - mark.modified >= grace]
    return Candidates(
        dead=tuple(loose[path] for path, is_dead in zip(unmarked, dead, strict=True) if is_dead),
        due=tuple(loose[path] for path in old if path in loose),
        waiting=len(marked) - len(old),
        foreign=len(loose) - len(ours),
    )


def _stored_files(store: ObjectStore, root: str) -> Iterator[ObjectStat]:
    """All that lies below the table but its log and what upkeep keeps: they may be longer than the rest together."""
    after = ""
    for folder in (*_NOT_DATA, None):
        for found in store.list(f"{root}/", after=after):
            if folder is not None and found.key.startswith(f"{root}/{folder}/"):
                break
            yield found
        else:
            return
        after = f"{root}/{folder}0"  # the character after the slash


def _pins(table: LakeTable, store: ObjectStore) -> PinIndex:
    return PinIndex(store, table.stream, "inferences" if table.table == "inferences" else "labels")


def _named(table: LakeTable, pins: PinIndex) -> frozenset[str]:
    """Paths that the newest version of the table or any manifest names."""
    table.refresh()
    return frozenset(entry.path for entry in table.files()) | pins.paths()


def _dead(path: str, says: Mapping[str, str] | None, live: Collection[str], ends: Mapping[str, int]) -> bool:
    """Whether no commit can name the file any more; asked of files that the table, at the version of ``live`` and ``ends``,
    does not name."""
    name = file_name(path)
    if name is None or says is None:
        return False
    if name.partition is None or name.first_offset is None:
        return FIRST_INPUT in says and says[FIRST_INPUT] not in live
    return ends.get(app_id(says.get(TOPIC_ID, ""), name.partition), 0) > name.first_offset


def _metadata(table: LakeTable, path: str) -> dict[str, str] | None:
    """What the file says about itself; None for a file that is gone or cannot be read: it is left alone."""
    try:
        with table.open_file(path) as file:
            schema = pq.read_schema(file)
    except (ObjectNotFound, pa.ArrowException) as exc:
        log.warning("file-not-readable", table=table.root, path=path, reason=str(exc))
        return None
    return {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
