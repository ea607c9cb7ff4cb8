"""The loop of the services that read control events: poll, decode, handle, commit."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from driftloop import metrics
from driftloop.contracts.codec import Envelope, decode_event
from driftloop.contracts.events import Event
from driftloop.crashpoints import crash_point
from driftloop.errors import GapError, InvalidMessage, TransientError
from driftloop.ports import MessageConsumer, Record, TopicPartition
from driftloop.service.attempts import Attempts, unforeseen
from driftloop.service.partition_progress import PartitionProgress
from driftloop.service.process import Stop
from driftloop.service.topic_incarnations import TopicIncarnations
from driftloop.telemetry import get_logger

E = TypeVar("E", bound=Event)
INVALID_IN_A_ROW = 10  # on a control topic: beyond it each one more is passed over slowly, so that a bad deploy does not drain it
INVALID_SECONDS = 1.0

log = get_logger(__name__)


class EventHandler(NamedTuple):
    """What becomes of one type of events; made by ``on``."""

    type: type[Event]
    handle: Callable[[Event, Envelope], None]


def on(type: type[E], handle: Callable[[E, Envelope], None]) -> EventHandler:
    """Events of ``type`` are given to ``handle``, with their envelope."""

    def handle_checked(event: Event, about: Envelope) -> None:
        assert isinstance(event, type)  # the worker chooses the handler by the event's own type
        handle(event, about)

    return EventHandler(type, handle_checked)


class HandledEvents(Protocol):
    """Which events have been handled, by id, as far back as it goes."""

    def __contains__(self, event_id: str) -> bool:
        """Raises TransientError when that cannot be told now."""

    def add(self, event_id: str) -> None:
        """Return once it is kept. Raises TransientError."""


class EventWorker:
    """Hands events to handlers, one at a time per worker, and commits each offset after its handler returned.

    A handler may take longer than the poll interval: it runs in a thread while this loop keeps polling with all
    partitions paused. Events whose type has no handler are passed over. The fates of an error: InvalidMessage →
    ``reject`` and go on, slowly when there are many in a row; TransientError → wait and repeat; ConfigurationError, GapError
    and Fenced → stop, offset untouched; anything else → a few tries, then ``reject`` and go on.

    An event may be delivered again: after a crash, after a rebalance, by a sender who repeats it. With ``handled``, one whose
    handler returned is not handled again, as long as its id is remembered; a crash while the handler runs still repeats it.

    A topic that is made anew while the worker runs is read from its beginning: offsets of before say nothing about it. So is what
    is left of a partition whose events are gone, which is said in the log and counted.
    """

    def __init__(
        self,
        consumer: MessageConsumer,
        handlers: Sequence[EventHandler],
        *,
        stop: Stop,
        reject: Callable[[Record, str], None],
        handled: HandledEvents | None = None,
        max_backoff_seconds: float = 10.0,
        invalid_seconds: float = INVALID_SECONDS,
    ) -> None:
        self._consumer, self._stop, self._reject, self._handled = consumer, stop, reject, handled
        self._handlers = {handler.type: handler.handle for handler in handlers}
        if len(self._handlers) < len(handlers):
            raise ValueError("two handlers for one type of events")
        self._max_backoff, self._invalid_seconds = max_backoff_seconds, invalid_seconds
        self._invalid = 0
        self._attempts = Attempts()
        self._incarnations, self._progress = TopicIncarnations(), PartitionProgress()
        self._owned: frozenset[TopicPartition] = frozenset()
        self._returned = ""  # id of the event whose handler returned last, so that a failure to remember it repeats no handler

    def run(self) -> None:
        """Until a stop is requested. A handler in progress when it is keeps its ten seconds."""
        while not self._stop.requested():
            try:
                polled = self._consumer.poll(0.2, max_records=20)
            except TransientError as exc:
                log.warning("poll-failed", reason=str(exc))
                metrics.RETRIES.labels("poll").inc()
                self._stop.wait(1.0)
                continue
            except GapError as exc:  # or the offsets begin again
                if not self._begin_again_in_topics_made_anew():
                    self._go_on_without_what_is_gone(exc)
                continue
            anew = self._begin_again_in_topics_made_anew()
            if anew:  # what was polled is of the new topic, from an offset that the old one had
                polled = {tp: records for tp, records in polled.items() if tp.topic not in anew}
            self._show_progress(polled)
            for tp, records in polled.items():
                self._handle_in_order(tp, records)
        self._consumer.close()

    def _begin_again_in_topics_made_anew(self) -> frozenset[str]:
        """Raises nothing while the broker is away: it is found again at the next look."""
        anew = self._incarnations.made_anew(self._consumer)
        tps = [tp for tp in self._consumer.assignment() if tp.topic in anew]
        while tps and not self._stop.requested():
            try:
                beginnings = self._consumer.beginning_offsets(tps)
                break
            except TransientError as exc:
                log.warning("beginning-not-told", reason=str(exc))
                self._stop.wait(1.0)
        else:
            return anew
        for tp in tps:
            self._consumer.seek(tp, beginnings[tp])
        self._commit(beginnings)  # what the group has on record is of the old one
        return anew

    def _go_on_without_what_is_gone(self, exc: GapError) -> None:
        """Events cannot be given up as rows can: what they asked for has to be asked for again, and those that follow be handled. A
        log that lost its end is read from its beginning: what was handled before needs nothing. Raises ``exc`` for another gap."""
        tps = list(self._consumer.assignment())
        try:
            beginnings, ends = self._consumer.beginning_offsets(tps), self._consumer.end_offsets(tps)
        except TransientError as away:
            log.warning("beginning-not-told", reason=str(away))
            self._stop.wait(1.0)
            return  # the next poll finds the same gap
        places = {tp: position for tp in tps if (position := self._consumer.last_position(tp)) is not None}
        gone = {tp: beginnings[tp] for tp, position in places.items() if not beginnings[tp] <= position <= ends[tp]}
        if not gone:
            raise exc
        for tp, beginning in gone.items():
            log.error(
                "events-gone", topic=tp.topic, partition=tp.partition, was_to_be_read=places[tp], begins_at=beginning, ends_at=ends[tp]
            )
            metrics.UNREADABLE_RECORDS.labels(tp.topic).inc(max(0, beginning - places[tp]))
            self._consumer.seek(tp, beginning)
        self._commit(gone)

    def _show_progress(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """All that came before what was polled now has been handled."""
        owned = self._consumer.assignment()
        self._progress.forget(self._owned - owned)
        self._owned = owned
        for tp in owned:
            reached = polled[tp][0].offset if polled.get(tp) else self._consumer.last_position(tp)
            if reached is not None:
                self._progress.durable(tp, reached)
            self._progress.end(tp, self._consumer.last_known_end(tp))

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Advisory: what it does not get on record is handled again by the next start."""
        try:
            self._consumer.commit(offsets)
        except TransientError as exc:
            log.warning("offset-commit-failed", reason=str(exc))
        for tp, offset in offsets.items():
            self._progress.durable(tp, offset)

    def _handle_in_order(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        for record in records:
            if self._stop.requested() or tp not in self._consumer.assignment():
                return  # its next owner goes on from the committed offset
            metrics.MESSAGES.labels(record.topic).inc()
            if not self._handle_until_done(record):
                return
            self._commit({tp: record.offset + 1})

    def _handle_until_done(self, record: Record) -> bool:
        """False when the stop came first."""
        attempt = 0
        while not self._stop.requested():
            try:
                self._in_thread(record)
                return True
            except InvalidMessage as exc:
                self._pass_over(record, str(exc))
                return True
            except TransientError as exc:
                attempt += 1
                delay = min(self._max_backoff, 0.2 * 2**attempt) * random.uniform(0.5, 1.0)
                log.warning("handling-postponed", reason=str(exc), topic=record.topic, offset=record.offset, attempt=attempt)
                metrics.RETRIES.labels("handle").inc()
                self._idle(delay)
            except Exception as exc:  # one event must not stop the service; known kinds are raised again
                pause = self._attempts.again((record.topic, record.partition, record.offset), exc)
                log.error("handling-failed", exc_info=True, topic=record.topic, partition=record.partition, offset=record.offset)
                if pause is None:
                    self._pass_over(record, unforeseen(exc))
                    return True
                self._idle(pause)
        return False

    def _pass_over(self, record: Record, reason: str) -> None:
        log.warning("event-rejected", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)
        metrics.QUARANTINED.labels(record.topic).inc()
        self._reject(record, reason)
        self._invalid += 1
        if self._invalid >= INVALID_IN_A_ROW:
            log.error("events-invalid-in-a-row", topic=record.topic, offset=record.offset, count=self._invalid)
            self._idle(self._invalid_seconds)

    def _in_thread(self, record: Record) -> None:
        outcome: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                self._dispatch(record)
            except BaseException as exc:  # noqa: BLE001 - handed to the loop's thread, which raises it
                outcome.append(exc)
            finally:
                done.set()

        threading.Thread(target=work, name="handler", daemon=True).start()
        if not done.wait(0.5):
            self._poll_while_paused(done)
        if outcome:
            raise outcome[0]

    def _poll_while_paused(self, done: threading.Event) -> None:
        while not done.is_set():
            self._keep_membership()
            done.wait(0.3)
        self._consumer.resume(list(self._consumer.assignment()))

    def _keep_membership(self) -> None:
        """Poll without reading, so that the group sees this member alive."""
        self._consumer.pause(list(self._consumer.assignment()))
        try:
            self._consumer.poll(0.0)
        except TransientError as exc:
            log.warning("poll-failed", reason=str(exc))

    def _idle(self, seconds: float) -> None:
        waited = 0.0
        while waited < seconds and not self._stop.requested():
            self._keep_membership()
            self._stop.wait(0.3)
            waited += 0.3
        self._consumer.resume(list(self._consumer.assignment()))

    def _dispatch(self, record: Record) -> None:
        event, about = decode_event(record.value, record.headers)
        handler = self._handlers.get(type(event))
        if handler is not None:
            self._handle_once(handler, event, about)
        self._invalid = 0

    def _handle_once(self, handle: Callable[[Event, Envelope], None], event: Event, about: Envelope) -> None:
        if self._handled is not None and about.id in self._handled:
            log.info("event-handled-before", id=about.id, type=about.type)
            return
        if self._handled is None or about.id != self._returned:
            with metrics.HANDLING_SECONDS.labels(about.type).time():
                handle(event, about)
            self._returned = about.id
        if self._handled is not None:
            crash_point("event-worker.before-remembered")
            self._handled.add(about.id)
            crash_point("event-worker.after-remembered")
