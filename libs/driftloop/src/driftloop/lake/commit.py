"""The fenced commit: rows and offsets become visible together, once, whoever else is writing.

delta-rs compares a writer's transactions only with commits that its handle has not seen; after a refresh it accepts
even a lower number. So the fence is here: before every attempt the table's cursors must stand exactly where the flush
begins. A commit's answer may be lost, so an error is answered by looking, never by deleting.
"""

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import CommitProperties, Transaction

from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.values import Part
from driftloop.errors import Fenced, TransientError
from driftloop.lake.commit_log import entry_path
from driftloop.lake.cursors import Move, TableState, Uncapped
from driftloop.lake.delta import store_errors
from driftloop.lake.label_times import SKEW
from driftloop.lake.notes import METADATA_KEY, CommitNote, commit_time, encode_note
from driftloop.lake.parquet import DataFile, intact_files, put_files
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore
from driftloop.telemetry import get_logger

MAX_ATTEMPTS = 50  # against mere contention; each takes about 20 ms

log = get_logger(__name__)


class CursorsMoved(Fenced):
    """Other writers own these cursors (app ids) now; nothing of the flush was committed."""

    def __init__(self, cursors: Sequence[str]) -> None:
        super().__init__(f"cursors moved by another writer: {', '.join(cursors)}")
        self.cursors = tuple(cursors)


class Flush(Part, frozen=True, kw_only=True):
    """One commit in the making. ``files`` may be empty: cursors and watermarks also move alone."""

    moves: tuple[Move, ...]
    files: tuple[DataFile, ...] = ()
    watermarks: Mapping[int, datetime] = {}
    gaps: tuple[AcceptedGap, ...] = ()  # that it puts on record
    caps_label_times: bool = False  # its labels are not dated later than they were sent; the first such commit says so
    commit_id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)

    def without(self, partitions: frozenset[int]) -> "Flush | None":
        """What is left of it, as a commit of its own; None when nothing is."""
        moves = tuple(move for move in self.moves if move.partition not in partitions)
        if not moves:
            return None
        return msgspec.structs.replace(
            self,
            moves=moves,
            files=tuple(file for file in self.files if file.partition not in partitions),
            watermarks={p: mark for p, mark in self.watermarks.items() if p not in partitions},
            commit_id=uuid.uuid4().hex,
        )


def store_files(store: ObjectStore, table: LakeTable, flush: Flush) -> None:
    """Put the flush's bytes where its commit will name them. Safe to repeat. Raises TransientError."""
    put_files(store, table.root, flush.files)


def commit(table: LakeTable, store: ObjectStore, flush: Flush) -> CommitNote:
    """Make the flush's commit, or find that it was made; then look that its objects are there.

    Raises CursorsMoved if another writer has moved one of its cursors, TransientError if the outcome is not known yet:
    call again with the same flush, whose bytes must still be in hand.
    """
    note = None
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            table.refresh()
        note = _landed(table, flush) or _attempt(table, store, flush)
        if note is not None:
            break
        time.sleep(random.uniform(0, min(0.2, 0.01 * 2**attempt)))
    if note is None:
        raise TransientError(f"{table.root}: {MAX_ATTEMPTS} commits of others came first")
    _ensure_objects(store, table, flush)
    return note


def _attempt(table: LakeTable, store: ObjectStore, flush: Flush) -> CommitNote | None:
    """None when somebody else's commit came first, or when it is not known what happened."""
    _fence(table, flush)
    note = _note(table, flush)
    properties = CommitProperties(
        custom_metadata={METADATA_KEY: encode_note(note)},
        max_commit_retries=0,  # delta-rs would retry on top of a commit that the fence has not seen
        app_transactions=[Transaction(m.cursor, m.end) for m in flush.moves],
    )
    try:
        with store_errors(table.uri):
            table.delta.create_write_transaction(
                actions=[file.add_action() for file in flush.files],
                mode="append",
                schema=table.delta.schema(),
                partition_by=[],
                commit_properties=properties,
            )
    except CommitFailedError:
        return None
    except TransientError as exc:
        log.warning("commit-outcome-unknown", table=table.root, version=note.version, reason=str(exc))
        return None
    table.advance(note)
    return None if _before_the_log(table, store, note) else note


def _before_the_log(table: LakeTable, store: ObjectStore, note: CommitNote) -> bool:
    """Whether the commit landed where the log no longer is: this writer slept until the entry of that version was archived,
    so that its name was free again. Nobody reads what was written there."""
    if table.version == note.version:
        return False
    if table.log.archived_bytes(note.version) is None:
        return False
    log.warning("commit-before-the-log", table=table.root, version=note.version, newest=table.version)
    store.delete(f"{table.root}/{entry_path(note.version)}")
    return True


def _fence(table: LakeTable, flush: Flush) -> None:
    foreign = [m.cursor for m in flush.moves if table.cursor(m.cursor) != m.expected]
    if foreign:
        raise CursorsMoved(foreign)


def _landed(table: LakeTable, flush: Flush) -> CommitNote | None:
    """The flush's own commit, if an earlier attempt made it after all."""
    known = table.positions().get(flush.moves[0].cursor)
    if known is None or known.end < flush.moves[0].end:
        return None
    note = table.note(known.version)
    return note if note is not None and note.commit_id == flush.commit_id else None


def _note(table: LakeTable, flush: Flush) -> CommitNote:
    now, before = commit_time(datetime.now(UTC), table.committed_at()), table.state()
    note = CommitNote(
        commit_id=flush.commit_id,
        version=table.version + 1,
        at=now,
        rows=sum(file.rows for file in flush.files),
        moves=tuple(sorted(flush.moves, key=lambda m: (m.topic, m.topic_id, m.partition))),  # as they are read back
        event_time_min=min((file.event_time_min for file in flush.files), default=None),
        event_time_max=max((file.event_time_max for file in flush.files), default=None),
        watermarks={str(partition): mark for partition, mark in flush.watermarks.items()},
        gaps=flush.gaps,
        uncapped=_uncapped(before, now) if flush.caps_label_times and before.uncapped is None else None,
    )
    after = note.after(before)
    known = {partition: after.watermarks[partition] for partition in note.watermarks}
    return msgspec.structs.replace(note, watermarks=known, state=after if table.wants_whole_state() else None)


def _uncapped(state: TableState, now: datetime) -> Uncapped:
    """All labels of before. They were known before now, by clocks that may differ."""
    return Uncapped(until=now + SKEW, ends={name: cursor.end for name, cursor in state.cursors.items()})


def _ensure_objects(store: ObjectStore, table: LakeTable, flush: Flush) -> None:
    """The bytes are let go only after the store has shown each object; a missing one is put again."""
    shown = intact_files(store, table.root, flush.files)
    missing = [file for file, intact in zip(flush.files, shown, strict=True) if not intact]
    if missing:
        log.error("committed-objects-missing", table=table.root, paths=[file.path for file in missing])
        put_files(store, table.root, missing)
