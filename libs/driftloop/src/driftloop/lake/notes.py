"""What a commit writes down beside its rows: which cursors it moved, and what their partitions promised.

A note holds what its commit changed, so that a table of 500 partitions does not write 500 cursors down to move four. Every
so many commits (``WHOLE_EVERY``) a note holds the whole state after it too: the newest few notes tell the state.

Ranges are written as columns, one group per topic. Notes of earlier releases hold an object per cursor and the whole state
each time; they are read as they are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import OffsetRange, Part, Time
from driftloop.contracts.windows import CLOCK_SKEW
from driftloop.lake.cursors import Cursor, Move, Span, TableState, Uncapped, cursor_name, moved, spans_of

METADATA_KEY = "driftloop"  # in the commit's custom metadata
WHOLE_EVERY = 64  # versions: so many notes are read, at most, to open a table
_FORM = 2  # of the notes that are written now

R = TypeVar("R", bound=OffsetRange)


class CommitNote(Part, frozen=True, kw_only=True):
    """One commit of the lake. ``watermarks``, as known after it, of the partitions that it promised something of: event time
    for inferences, label time for labels."""

    commit_id: str  # of the writer's own choosing: how it recognises its commit when the answer was lost
    version: int
    at: Time  # wall time
    rows: int
    moves: tuple[Move, ...]
    event_time_min: Time | None
    event_time_max: Time | None
    watermarks: dict[str, Time]
    gaps: tuple[AcceptedGap, ...] = ()  # that it accepts
    uncapped: Uncapped | None = None  # in the first commit that caps label times
    state: TableState | None = None  # the whole state after it, if it holds that

    def after(self, before: TableState) -> TableState:
        """The table's state after this commit, given the one before it."""
        if self.state is not None:
            return self.state
        marks = {int(partition): mark for partition, mark in self.watermarks.items()}
        state = moved(before, self.moves, marks, self.version)
        return msgspec.structs.replace(state, gaps=(*state.gaps, *self.gaps), uncapped=state.uncapped or self.uncapped)


class _Columns(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Ranges of one topic's partitions. ``kind``: what the names of their cursors begin with."""

    kind: str
    topic: str
    topic_id: str
    partitions: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    versions: tuple[int, ...] = ()  # of cursors
    first: tuple[int, ...] = ()  # of moves: the partitions whose cursor is new
    quarantined: dict[str, tuple[Span, ...]] = msgspec.field(default_factory=dict)  # of moves, by partition


class _State(Part, frozen=True, kw_only=True, omit_defaults=True):
    cursors: tuple[_Columns, ...]
    watermarks: dict[str, Time]
    gaps: tuple[AcceptedGap, ...] = ()
    uncapped: Uncapped | None = None


class _Note(Part, frozen=True, kw_only=True, omit_defaults=True):
    form: int
    commit_id: str
    version: int
    at: Time
    rows: int
    moves: tuple[_Columns, ...]
    event_time_min: Time | None = None
    event_time_max: Time | None = None
    watermarks: dict[str, Time] = msgspec.field(default_factory=dict)
    gaps: tuple[AcceptedGap, ...] = ()
    uncapped: Uncapped | None = None
    state: _State | None = None


class _EarlierMove(OffsetRange, frozen=True, kw_only=True):
    cursor: str
    first: bool = False
    quarantined: tuple[int, ...] = ()


class _EarlierNote(Part, frozen=True, kw_only=True):
    """``cursors`` and ``watermarks`` are the whole state."""

    commit_id: str
    version: int
    at: Time
    rows: int
    moves: tuple[_EarlierMove, ...]
    event_time_min: Time | None
    event_time_max: Time | None
    cursors: dict[str, Cursor]
    watermarks: dict[str, Time]


def commit_time(now: datetime, last: datetime | None) -> datetime:
    """What a commit's note says as its time, after one that says ``last``: not before it, so that what was known at a moment can be
    looked for by halves though the clocks of writers differ. A clock that was further ahead than ``CLOCK_SKEW`` is not followed."""
    return last if last is not None and now < last <= now + CLOCK_SKEW else now


def encode_note(note: CommitNote) -> dict[str, Any]:
    """For a commit's custom metadata."""
    written = _Note(
        form=_FORM,
        commit_id=note.commit_id,
        version=note.version,
        at=note.at,
        rows=note.rows,
        moves=_moves_as_columns(note.moves),
        event_time_min=note.event_time_min,
        event_time_max=note.event_time_max,
        watermarks=note.watermarks,
        gaps=note.gaps,
        uncapped=note.uncapped,
        state=None if note.state is None else _state_as_columns(note.state),
    )
    found: dict[str, Any] = msgspec.to_builtins(written)
    return found


def decode_note(metadata: Mapping[str, object]) -> CommitNote | None:
    """The note in a commit's metadata; None for commits that others made, such as a compaction."""
    found = metadata.get(METADATA_KEY)
    if not isinstance(found, Mapping):
        return None
    return (
        _decoded(msgspec.convert(found, prepared(_Note))) if "form" in found else _earlier(msgspec.convert(found, prepared(_EarlierNote)))
    )


def _moves_as_columns(moves: Sequence[Move]) -> tuple[_Columns, ...]:
    return tuple(
        msgspec.structs.replace(
            _columns(kind, some),
            first=tuple(m.partition for m in some if m.first),
            quarantined={str(m.partition): m.quarantined for m in some if m.quarantined},
        )
        for kind, some in _grouped({m.cursor: m for m in moves})
    )


def _state_as_columns(state: TableState) -> _State:
    return _State(
        cursors=tuple(
            msgspec.structs.replace(_columns(kind, some), versions=tuple(c.version for c in some)) for kind, some in _grouped(state.cursors)
        ),
        watermarks=state.watermarks,
        gaps=state.gaps,
        uncapped=state.uncapped,
    )


def _grouped(ranges: Mapping[str, R]) -> list[tuple[str, list[R]]]:
    """Ranges by the name of their cursor, as those of one kind, topic and topic id."""
    groups: dict[tuple[str, str, str], list[R]] = {}
    for name, each in ranges.items():
        kind = name.partition("/")[0]
        if name != cursor_name(kind, each.topic_id, each.partition):
            raise ValueError(f"{name!r} does not name partition {each.partition} of {each.topic_id}")
        groups.setdefault((kind, each.topic, each.topic_id), []).append(each)
    return [(kind, some) for (kind, _, _), some in groups.items()]


def _columns(kind: str, ranges: Sequence[OffsetRange]) -> _Columns:
    return _Columns(
        kind=kind,
        topic=ranges[0].topic,
        topic_id=ranges[0].topic_id,
        partitions=tuple(r.partition for r in ranges),
        starts=tuple(r.start for r in ranges),
        ends=tuple(r.end for r in ranges),
    )


def _decoded(note: _Note) -> CommitNote:
    return CommitNote(
        commit_id=note.commit_id,
        version=note.version,
        at=note.at,
        rows=note.rows,
        moves=tuple(move for group in note.moves for move in _moves(group)),
        event_time_min=note.event_time_min,
        event_time_max=note.event_time_max,
        watermarks=note.watermarks,
        gaps=note.gaps,
        uncapped=note.uncapped,
        state=None if note.state is None else _state(note.state),
    )


def _moves(group: _Columns) -> list[Move]:
    new = frozenset(group.first)
    return [
        Move(
            cursor=cursor_name(group.kind, group.topic_id, partition),
            topic=group.topic,
            topic_id=group.topic_id,
            partition=partition,
            start=start,
            end=end,
            first=partition in new,
            quarantined=group.quarantined.get(str(partition), ()),
        )
        for partition, start, end in zip(group.partitions, group.starts, group.ends, strict=True)
    ]


def _state(written: _State) -> TableState:
    cursors = {
        cursor_name(group.kind, group.topic_id, partition): Cursor(
            topic=group.topic, topic_id=group.topic_id, partition=partition, start=start, end=end, version=version
        )
        for group in written.cursors
        for partition, start, end, version in zip(group.partitions, group.starts, group.ends, group.versions, strict=True)
    }
    return TableState(cursors=cursors, watermarks=written.watermarks, gaps=written.gaps, uncapped=written.uncapped)


def _earlier(note: _EarlierNote) -> CommitNote:
    moves = (msgspec.structs.asdict(move) | {"quarantined": spans_of(move.quarantined)} for move in note.moves)
    return CommitNote(
        commit_id=note.commit_id,
        version=note.version,
        at=note.at,
        rows=note.rows,
        moves=tuple(Move(**move) for move in moves),
        event_time_min=note.event_time_min,
        event_time_max=note.event_time_max,
        watermarks=note.watermarks,
        state=TableState(cursors=note.cursors, watermarks=note.watermarks),
    )
