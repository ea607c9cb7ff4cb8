"""What a topic holds, message by message: rows that must be in the lake, messages that are in quarantine, and those sent again.

A message that was sent again stands for the one that was rejected: both are one. Of several redrives of one message, the first that
was taken counts, and the rows of the others are repeats of it.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import pyarrow as pa

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, WATERMARK, header
from driftloop.contracts.redrives import redrive_of
from driftloop.contracts.typed import prepared
from driftloop.ports import Record, TopicPartition

Rejected = frozenset[tuple[TopicPartition, int]]
Place = tuple[int, int]  # partition and offset
Row = tuple[int, int, str]  # partition, offset, event id


class SentRows(NamedTuple):
    """``rows``: all that must be in the lake, repeats too. ``own``: those that applications sent, and were not rejected. ``rejected``:
    messages of applications that were; ``waiting``: of these, those that no redrive has brought into the lake. ``repeated``: places
    of messages that bring what another redrive has brought."""

    rows: list[Row]
    own: int
    rejected: int
    waiting: int
    repeated: frozenset[Place]


class _Message(NamedTuple):
    place: Place
    rejected: bool
    parent: Place | None


class _EventId(msgspec.Struct):
    event_id: str


def sent_rows(records: Iterable[Record], rejected: Rejected) -> SentRows:
    """Of one topic. What cannot be read and was not rejected is a row without an event id: it will be missing."""
    decode = msgspec.json.Decoder(prepared(_EventId)).decode
    rows: list[Row] = []
    own = 0
    linked: dict[Place, _Message] = {}  # rejected, or sent again: few beside all
    for record in records:
        message = _message(record, rejected)
        found = [] if message.rejected else _rows(record, message.place, decode)
        rows += found
        if message.rejected or message.parent is not None:
            linked[message.place] = message
        else:
            own += len(found)
    roots = {place: _root(place, linked) for place in linked}
    taken: dict[Place, list[Place]] = {}  # by the message of an application, what it was sent again as and taken
    for place in sorted(linked):
        if not linked[place].rejected:
            taken.setdefault(roots[place], []).append(place)
    turned_away = {root for root in roots.values() if linked[root].rejected}
    repeated = frozenset(place for places in taken.values() for place in places[1:])
    return SentRows(rows, own, len(turned_away), len(turned_away - taken.keys()), repeated)


def _message(record: Record, rejected: Rejected) -> _Message:
    said = redrive_of(record.headers)
    parent = (said.partition, said.offset) if said is not None and said.topic == record.topic else None
    if parent is not None and (TopicPartition(record.topic, parent[0]), parent[1]) not in rejected:
        parent = None  # of a topic of before, or made up
    was_rejected = (TopicPartition(record.topic, record.partition), record.offset) in rejected
    return _Message((record.partition, record.offset), was_rejected, parent)


def _rows(record: Record, place: Place, decode: Callable[[bytes], _EventId]) -> list[Row]:
    if header(record.headers, CONTENT_TYPE) == ARROW.encode():
        with pa.ipc.open_stream(record.value) as reader:
            return [(*place, i) for i in reader.read_all().column("event_id").to_pylist()]
    if record.value is not None or header(record.headers, WATERMARK) is None:
        return [(*place, _event_id(decode, record.value))]
    return []  # a watermark


def _root(place: Place, messages: dict[Place, _Message]) -> Place:
    """The message of an application that this one stands for, or the last on the way to it that the topic still holds."""
    seen = {place}
    while (parent := messages[place].parent) is not None and parent in messages and parent not in seen:
        seen.add(parent)
        place = parent
    return place


def _event_id(decode: Callable[[bytes], _EventId], value: bytes | None) -> str:
    try:
        return decode(value or b"").event_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
