"""What a commit writes down beside its rows: how far each partition has been read, and what it promised.

Each commit carries the whole state after it, so that reading the newest one is enough. The Delta transactions of the
same commit (one per cursor, by ``app_id``) hold the numbers that the fence compares.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from driftloop.contracts.values import OffsetRange, Part, Time

METADATA_KEY = "driftloop"  # in the commit's custom metadata


def app_id(topic_id: str, partition: int) -> str:
    """Name of the cursor over the topic that a table is filled from. By id: offsets start again when a topic is recreated."""
    return f"driftloop/{topic_id}/{partition}"


def request_app_id(topic_id: str, partition: int) -> str:
    """Name of the cursor over the requests that an inferences table accounts for."""
    return f"driftloop-requests/{topic_id}/{partition}"


class Move(OffsetRange, frozen=True, kw_only=True):
    """A cursor goes from ``start`` to ``end``. ``quarantined`` names the offsets in between whose message was rejected."""

    cursor: str  # app_id or request_app_id
    first: bool = False  # the table has no such cursor yet
    quarantined: tuple[int, ...] = ()

    @property
    def expected(self) -> int | None:
        return None if self.first else self.start


class Cursor(OffsetRange, frozen=True, kw_only=True):
    """All that was ever taken up of one partition: ``[start, end)``, last moved by the table's ``version``."""

    version: int


class CommitNote(Part, frozen=True, kw_only=True):
    """One commit of the lake, and the table's state after it."""

    commit_id: str  # of the writer's own choosing: how it recognises its commit when the answer was lost
    version: int
    at: Time  # wall time
    rows: int
    moves: tuple[Move, ...]
    event_time_min: Time | None
    event_time_max: Time | None
    cursors: dict[str, Cursor]
    watermarks: dict[str, Time]  # by partition; event time for inferences, label time for labels


class TableState(Part, frozen=True, kw_only=True):
    """The fold of all notes so far."""

    cursors: dict[str, Cursor] = msgspec.field(default_factory=dict)
    watermarks: dict[str, Time] = msgspec.field(default_factory=dict)


def moved(state: TableState, moves: Iterable[Move], watermarks: Mapping[int, datetime], version: int) -> TableState:
    """The state after a commit. A watermark never falls."""
    cursors = dict(state.cursors)
    for m in moves:
        before = cursors.get(m.cursor)
        start = before.start if before else m.start
        cursors[m.cursor] = Cursor(topic=m.topic, topic_id=m.topic_id, partition=m.partition, start=start, end=m.end, version=version)
    marks = dict(state.watermarks)
    for partition, mark in watermarks.items():
        key = str(partition)
        marks[key] = max(mark, marks.get(key, mark))
    return TableState(cursors=cursors, watermarks=marks)


def decode_note(metadata: Mapping[str, object]) -> CommitNote | None:
    """The note in a commit's metadata; None for commits that others made, such as a compaction."""
    found = metadata.get(METADATA_KEY)
    return None if found is None else msgspec.convert(found, CommitNote)
