"""From records to events, by one rule: what cannot be read is counted and passed over, and the first record of an id stands."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from driftloop import metrics
from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import Event
from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage
from driftloop.history.id_set import IdSet
from driftloop.ports import Record, TopicPartition
from driftloop.telemetry import get_logger

PassedOver = Callable[[Record, str], None]  # told of each record that cannot be read, and why

log = get_logger(__name__)


def log_passed_over(record: Record, reason: str) -> None:
    log.warning("record-passed-over", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)


class EventFold(Protocol):
    """A state made of events. One thread at a time changes it."""

    def add(self, event: Event, about: Envelope) -> None:
        """Fold one more event; no two have the same id. Raises InvalidMessage, with nothing folded, for one that says what no
        event of its kind can say: it does not stand in the way of another of its id."""

    def reset(self) -> None:
        """Forget everything: a topic was made anew, and all is read from the beginning."""

    def stored(self) -> bytes:
        """The whole state, for ``restore``."""

    def restore(self, stored: bytes) -> None:
        """Become what was stored. Raises ValueError when that is of another fold or cannot be read; reset it then."""


class Events:
    """A fold of records (``log_reader.RecordFold``) that hands each readable event of a new id to a fold of events."""

    def __init__(self, fold: EventFold, passed_over: PassedOver = log_passed_over) -> None:
        self._fold, self._passed_over, self._seen = fold, passed_over, IdSet()

    def fold(self, record: Record) -> None:
        found = read_event(record, passed_over=self._passed_over)
        if found is None or found[1].id in self._seen:
            return
        try:
            self._fold.add(*found)
        except InvalidMessage as exc:
            _pass_over(record, str(exc), self._passed_over)
        except Exception as exc:  # whatever it holds, the log behind it must be read: a dead reader makes nothing of it either
            log.error("event-not-folded", exc_info=True, topic=record.topic, offset=record.offset)
            _pass_over(record, f"the fold breaks on it: {type(exc).__name__}: {exc}", self._passed_over)
        else:
            self._seen.add(found[1].id)

    def passed(self, tp: TopicPartition, offset: int) -> None:
        """Offsets are nothing to a fold of events."""

    def reset(self) -> None:
        self._seen = IdSet()
        self._fold.reset()

    def stored(self) -> bytes:
        return msgspec.msgpack.encode((self._seen.stored(), self._fold.stored()))

    def restore(self, stored: bytes) -> None:
        seen, inner = msgspec.msgpack.decode(stored, type=prepared(tuple[bytes, bytes]))
        self._seen = IdSet(seen)
        self._fold.restore(inner)


def read_event(record: Record, kind: type[Event] = Event, passed_over: PassedOver = log_passed_over) -> tuple[Event, Envelope] | None:
    """None for a record that cannot be read, or that holds an event of another kind: it is counted, and its place is told."""
    try:
        event, about = decode_event(record.value, record.headers)
        if not isinstance(event, kind):
            raise InvalidMessage(f"{type(event).__name__} is no {kind.__name__}")
    except InvalidMessage as exc:
        _pass_over(record, str(exc), passed_over)
        return None
    return event, about


def _pass_over(record: Record, reason: str, passed_over: PassedOver) -> None:
    metrics.UNREADABLE_RECORDS.labels(record.topic).inc()
    passed_over(record, reason)
