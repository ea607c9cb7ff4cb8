"""A table as it was known at a moment: the rows whose messages had been taken up by then.

The rows keep the partition and offset that they came in, their file says of which topic id, and every commit says how far
each partition had been read. So the past is a filter over the table of now: it stays readable when a compaction has replaced
the files of then, and when the log of then is in the archive.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.cursors import Cursor
from driftloop.lake.notes import CommitNote
from driftloop.lake.table import LakeTable


class AsOf(NamedTuple):
    """Rows of ``table`` whose offset lies below that of their cursor in ``ends``; None: all.

    ``below`` says the same for people, by partition: those that were asked for by offset, or all for a moment.
    """

    table: LakeTable
    ends: Mapping[str, int] | None = None
    below: Mapping[int, int] | None = None

    def filter(self) -> pc.Expression | None:
        """For a dataset of all of the table's files; None when nothing is left out, or when only the files can tell: ``by_file``."""
        if self.ends is None or self.by_file:
            return None
        partition, offset = pc.field("partition"), pc.field("offset")
        chosen = pc.scalar(False)
        for cursor in _own(self.table, self.table.positions()):
            end = self.ends.get(cursor.name, 0)
            chosen = chosen | ((partition == pa.scalar(cursor.partition, pa.int32())) & (offset < pa.scalar(end, pa.int64())))
        return chosen

    @property
    def by_file(self) -> bool:
        """Whether the topic was made anew, so that partition and offset alone do not say which message a row came in."""
        if self.ends is None:
            return False
        partitions = [cursor.partition for cursor in _own(self.table, self.table.positions())]
        return len(set(partitions)) < len(partitions)


def known_at(table: LakeTable, moment: datetime) -> AsOf:
    """What the commits made until ``moment`` hold, by the clocks of those who made them. Raises TransientError."""
    note = newest_note(table, moment)
    return AsOf(table, {}, {}) if note is None else _known_after(table, note.version)


def known_by_version(table: LakeTable, version: int) -> AsOf:
    """What the table's commits up to ``version`` hold, from the files of now. Raises ObjectNotFound, TransientError."""
    return _known_after(table, version)


def known_below(table: LakeTable, offsets: Mapping[int, int]) -> AsOf:
    """What the table knew when these offsets of its topic, by partition, were the next to be read. Raises UserError."""
    own = _own(table, table.positions())
    ends = {cursor.name: cursor.end for cursor in own}
    for partition, offset in offsets.items():
        cursors = [cursor for cursor in own if cursor.partition == partition]
        where = f"{table.stream}.{table.table}-{partition}"
        if not cursors:
            raise UserError(f"the lake holds nothing of {where}")
        if len(cursors) > 1:
            raise UserError(f"{where} was made anew, so offset {offset} names several messages: give a time instead")
        if not 0 <= offset <= cursors[0].end:
            raise UserError(f"offset {offset} of {where} is not in the lake, which ends at {cursors[0].end}")
        ends[cursors[0].name] = offset
    return AsOf(table, ends, dict(offsets))


def newest_note(table: LakeTable, moment: datetime) -> CommitNote | None:
    """The newest commit of ingest that was made until ``moment``; None when there is none."""
    low, high, found = 0, table.version, None
    while low <= high:
        note = _note_at_or_below(table, (low + high) // 2, low)
        if note is None or note.at <= moment:
            found = note or found
            low = (low + high) // 2 + 1
        else:
            high = note.version - 1
    return found


def _known_after(table: LakeTable, version: int) -> AsOf:
    own = sorted(_own(table, table.state_at(version).cursors), key=lambda cursor: cursor.moved_by)
    return AsOf(table, {cursor.name: cursor.end for cursor in own}, {cursor.partition: cursor.end for cursor in own})


def _note_at_or_below(table: LakeTable, version: int, lowest: int) -> CommitNote | None:
    for number in range(version, lowest - 1, -1):  # others' commits, such as a compaction, carry no note
        try:
            note = table.note(number)
        except ObjectNotFound:
            return None
        if note is not None:
            return note
    return None


class _Own(NamedTuple):
    name: str
    partition: int
    end: int
    moved_by: int  # version


def _own(table: LakeTable, cursors: Mapping[str, Cursor]) -> list[_Own]:
    """Those of the table's own topic; an inferences table has cursors over the requests, too."""
    topic = f"{table.stream}.{table.table}"
    return [_Own(name, c.partition, c.end, c.version) for name, c in cursors.items() if c.topic == topic]
