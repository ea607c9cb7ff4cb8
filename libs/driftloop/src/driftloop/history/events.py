"""From records to events, by one rule: what cannot be read is counted and passed over, and the first record of an id stands."""

from typing import Protocol

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import Event
from driftloop.errors import InvalidMessage
from driftloop.history.id_set import IdSet
from driftloop.ports import Record
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class EventFold(Protocol):
    """A state made of events. One thread at a time changes it."""

    def add(self, event: Event, about: Envelope) -> None:
        """Fold one more event; no two have the same id."""

    def reset(self) -> None:
        """Forget everything: a topic was made anew, and all is read from the beginning."""

    def stored(self) -> bytes:
        """The whole state, for ``restore``."""

    def restore(self, stored: bytes) -> None:
        """Become what was stored. Raises ValueError when that is of another fold or cannot be read; reset it then."""


class Events:
    """A fold of records (``log_reader.RecordFold``) that hands each readable event of a new id to a fold of events."""

    def __init__(self, fold: EventFold) -> None:
        self._fold, self._seen = fold, IdSet()

    def fold(self, record: Record) -> None:
        found = read_event(record)
        if found is not None and self._seen.add(found[1].id):
            self._fold.add(*found)

    def reset(self) -> None:
        self._seen = IdSet()
        self._fold.reset()

    def stored(self) -> bytes:
        return msgspec.msgpack.encode((self._seen.stored(), self._fold.stored()))

    def restore(self, stored: bytes) -> None:
        seen, inner = msgspec.msgpack.decode(stored, type=tuple[bytes, bytes])
        self._seen = IdSet(seen)
        self._fold.restore(inner)


def read_event(record: Record, kind: type[Event] = Event) -> tuple[Event, Envelope] | None:
    """None for a record that cannot be read, or that holds an event of another kind: it is counted and its place is in the log."""
    try:
        event, about = decode_event(record.value, record.headers)
        if not isinstance(event, kind):
            raise InvalidMessage(f"{type(event).__name__} is no {kind.__name__}")
    except InvalidMessage as exc:
        metrics.UNREADABLE_RECORDS.labels(record.topic).inc()
        log.warning("record-passed-over", reason=str(exc), topic=record.topic, partition=record.partition, offset=record.offset)
        return None
    return event, about
