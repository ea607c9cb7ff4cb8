"""A table as it was known at a moment: the rows whose messages had been taken up by then.

The rows keep the partition and offset that they came in, and every commit says how far each partition had been read. So
the past is a filter over the table of now: it stays readable when a compaction has replaced the files of then.
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
    """Rows of ``table`` whose offset lies below ``below`` of their partition.

    ``below`` None: all. Partitions that it does not name are in as a whole, unless ``named_only``.
    """

    table: LakeTable
    below: Mapping[int, int] | None = None
    named_only: bool = False

    def filter(self) -> pc.Expression | None:
        """None when nothing is left out."""
        if self.below is None:
            return None
        partition, offset = pc.field("partition"), pc.field("offset")
        chosen = pc.scalar(False) if self.named_only else ~partition.isin(pa.array(sorted(self.below), pa.int32()))
        for number, end in sorted(self.below.items()):
            chosen = chosen | ((partition == pa.scalar(number, pa.int32())) & (offset < pa.scalar(end, pa.int64())))
        return chosen


def known_at(table: LakeTable, moment: datetime) -> AsOf:
    """What the commits made until ``moment`` hold, by the clocks of those who made them. Raises TransientError."""
    note = newest_note(table, moment)
    if note is None:
        return AsOf(table, {}, named_only=True)
    partitions = [cursor.partition for cursor in _own(table, table.positions())]
    if len(set(partitions)) < len(partitions):  # the topic was made anew: an offset alone does not say which message
        return AsOf(table.at(note.version))
    return AsOf(table, {cursor.partition: cursor.end for cursor in _own(table, table.state_at(note.version).cursors)}, named_only=True)


def known_below(table: LakeTable, offsets: Mapping[int, int]) -> AsOf:
    """What the table knew when these offsets of its topic, by partition, were the next to be read. Raises UserError."""
    own = _own(table, table.positions())
    for partition, offset in offsets.items():
        cursors = [cursor for cursor in own if cursor.partition == partition]
        where = f"{table.stream}.{table.table}-{partition}"
        if not cursors:
            raise UserError(f"the lake holds nothing of {where}")
        if len(cursors) > 1:
            raise UserError(f"{where} was made anew, so offset {offset} names several messages: give a time instead")
        if not 0 <= offset <= cursors[0].end:
            raise UserError(f"offset {offset} of {where} is not in the lake, which ends at {cursors[0].end}")
    return AsOf(table, dict(offsets))


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


def _note_at_or_below(table: LakeTable, version: int, lowest: int) -> CommitNote | None:
    for number in range(version, lowest - 1, -1):  # others' commits, such as a compaction, carry no note
        try:
            note = table.note(number)
        except ObjectNotFound:
            return None
        if note is not None:
            return note
    return None


def _own(table: LakeTable, cursors: Mapping[str, Cursor]) -> list[Cursor]:
    """Those of the table's own topic; an inferences table has cursors over the requests, too."""
    return [cursor for cursor in cursors.values() if cursor.topic == f"{table.stream}.{table.table}"]
