"""How far each partition has been read, and what it promised: the values of a table's state, and how a commit changes them.

The Delta transactions of a commit (one per cursor that it moves, by ``app_id``) repeat the numbers: checkpoints keep them,
and a writer of an earlier release is fenced by them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.values import OffsetRange, Part, Time

_MESSAGES, _REQUESTS = "driftloop", "driftloop-requests"


def cursor_name(kind: str, topic_id: str, partition: int) -> str:
    return f"{kind}/{topic_id}/{partition}"


def app_id(topic_id: str, partition: int) -> str:
    """Name of the cursor over the topic that a table is filled from. By id: offsets start again when a topic is recreated."""
    return cursor_name(_MESSAGES, topic_id, partition)


def request_app_id(topic_id: str, partition: int) -> str:
    """Name of the cursor over the requests that an inferences table accounts for."""
    return cursor_name(_REQUESTS, topic_id, partition)


class Span(NamedTuple):
    """Offsets ``[start, end)`` of the partition that it is said of."""

    start: int
    end: int


def spans_of(offsets: Sequence[int]) -> tuple[Span, ...]:
    """Rising offsets as few spans: a message that was rejected may account for any number of requests."""
    found: list[Span] = []
    for offset in offsets:
        if found and offset == found[-1].end:
            found[-1] = Span(found[-1].start, offset + 1)
        else:
            found.append(Span(offset, offset + 1))
    return tuple(found)


def offsets_in(spans: Iterable[Span]) -> Iterator[int]:
    """One by one; there may be more than fit into memory."""
    for start, end in spans:
        yield from range(start, end)


class Move(OffsetRange, frozen=True, kw_only=True):
    """A cursor goes from ``start`` to ``end``. ``quarantined``: the offsets in between whose message was rejected."""

    cursor: str  # app_id or request_app_id
    first: bool = False  # the table has no such cursor yet
    quarantined: tuple[Span, ...] = ()

    @property
    def expected(self) -> int | None:
        return None if self.first else self.start


class Cursor(OffsetRange, frozen=True, kw_only=True):
    """All that was ever taken up of one partition: ``[start, end)``, last moved by the table's ``version``."""

    version: int


class Uncapped(Part, frozen=True, kw_only=True):
    """Labels whose time was taken as it came: those below ``ends``, by cursor. All of them were known before ``until``.

    Since then a label is not dated later than its message reached the broker. Of the ones before, those with a later time
    than ``until`` are known to be dated wrongly.
    """

    until: Time
    ends: dict[str, int]


class TableState(Part, frozen=True, kw_only=True):
    """The fold of all notes so far. ``watermarks`` by partition: event time for inferences, label time for labels.

    ``uncapped``: null for inferences, and for labels while only an earlier release has written them.
    """

    cursors: dict[str, Cursor] = msgspec.field(default_factory=dict)
    watermarks: dict[str, Time] = msgspec.field(default_factory=dict)
    gaps: tuple[AcceptedGap, ...] = ()
    uncapped: Uncapped | None = None


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
    return msgspec.structs.replace(state, cursors=cursors, watermarks=marks)
