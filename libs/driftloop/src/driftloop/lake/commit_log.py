"""A table's log as driftloop reads it: entries, notes, and the state at a version as the fold of the notes up to it.

delta-rs reads the same entries for itself and hands out neither. Old ones lie in the archive.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from driftloop.errors import ObjectNotFound
from driftloop.lake.archived_log import ArchivedLog, block_of
from driftloop.lake.cursors import TableState
from driftloop.lake.filesystem import TableFiles
from driftloop.lake.notes import WHOLE_EVERY, CommitNote, decode_note
from driftloop.lake.parquet import in_parallel

_AT_ONCE = 16  # entries that are looked through for a whole state, newest first

Entry = list[dict[str, Any]]


class StateAt(NamedTuple):
    """``whole``: the version whose note held the whole state last; 0, where the state is empty, if none has. ``at``: the latest time
    that notes since then name."""

    version: int
    state: TableState
    whole: int
    at: datetime | None


_EMPTY = StateAt(0, TableState(), 0, None)


class CommitLog:
    """All methods raise ObjectNotFound for an entry that is neither in the log nor in the archive, and TransientError."""

    def __init__(self, files: TableFiles) -> None:
        self._files, self._archived = files, ArchivedLog(files)
        self._known = _EMPTY

    def entry(self, version: int) -> Entry:
        """The actions of the commit that made ``version``."""
        try:
            data = self._files.read(entry_path(version))
        except ObjectNotFound:
            data = self._archived.entry(version)
        return _actions(data)

    def archived_bytes(self, version: int) -> bytes | None:
        """The entry as the archive has it, whatever is in the log; None while it is not there."""
        try:
            return self._archived.entry(version)
        except ObjectNotFound:
            return None

    def note(self, version: int) -> CommitNote | None:
        """What the commit that made ``version`` says; None if others made it."""
        return note_of(self.entry(version))

    def state(self, version: int) -> StateAt:
        """The table's state at ``version``. Reads what has come since the version that was asked for last."""
        known, newer = self._known, range(self._known.version + 1, version + 1)
        if known.version <= version and len(newer) <= WHOLE_EVERY:
            notes = self._notes(newer)
        else:
            known, notes = self._looked_back(version)
        for note in notes:
            known = _after(known, note)
        self._known = known._replace(version=version)
        return self._known

    def take(self, note: CommitNote) -> None:
        """A commit that was just made on top of the state that was asked for last need not be read again."""
        if self._known.version == note.version - 1:
            self._known = _after(self._known, note)

    def metadata_before(self, version: int) -> dict[str, Any] | None:
        """The table's ``metaData`` action in force before ``version``, an archived one; None before the first."""
        first = block_of(version)
        for number in range(version - 1, first - 1, -1):
            found = metadata_of(self.entry(number))
            if found is not None:
                return found
        return self._archived.metadata_after(block_of(first - 1)) if first else None

    def _looked_back(self, version: int) -> tuple[StateAt, list[CommitNote | None]]:
        """The newest whole state at or before ``version``, and the notes that came after it."""
        newer: list[CommitNote | None] = []
        for newest in range(version, 0, -_AT_ONCE):
            found = self._notes(range(max(1, newest - _AT_ONCE + 1), newest + 1))
            for place in reversed(range(len(found))):
                note = found[place]
                if note is not None and note.state is not None:
                    return StateAt(note.version, note.state, note.version, note.at), [*found[place + 1 :], *newer]
            newer = [*found, *newer]
        return _EMPTY, newer

    def _notes(self, versions: Sequence[int]) -> list[CommitNote | None]:
        return in_parallel(self.note, versions)


def entry_path(version: int) -> str:
    """Where an entry lies below the table's root, as the Delta protocol has it."""
    return f"_delta_log/{version:020d}.json"


def note_of(entry: Entry) -> CommitNote | None:
    """None for the entry of a commit that others made."""
    return next((decode_note(action["commitInfo"]) for action in entry if "commitInfo" in action), None)


def metadata_of(entry: Entry) -> dict[str, Any] | None:
    """The entry's ``metaData`` action; None for a commit that did not change the table's schema or configuration."""
    return next((action["metaData"] for action in entry if "metaData" in action), None)


def _actions(data: bytes) -> Entry:
    return [json.loads(line) for line in data.splitlines()]


def _after(known: StateAt, note: CommitNote | None) -> StateAt:
    if note is None:  # others' commits, such as a compaction, carry no note
        return known
    whole = note.version if note.state is not None else known.whole
    return StateAt(note.version, note.after(known.state), whole, max(note.at, known.at or note.at))
