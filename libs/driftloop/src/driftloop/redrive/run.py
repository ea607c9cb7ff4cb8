"""One run of sending messages again. A run holds its stream: what another one has sent, or is sending, is never sent beside it."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from driftloop.contracts import topics as names
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import Event, MessagesRedriven, RedriveEnded, RedriveStarted
from driftloop.contracts.redrives import Redrive, redrive_header
from driftloop.contracts.topics import REDRIVES
from driftloop.contracts.values import RedrivenMessage
from driftloop.crashpoints import crash_point
from driftloop.errors import TransientError, UserError
from driftloop.history.redrives import Begun, Redrives
from driftloop.ports import EventPublisher, MessageProducer, Topics
from driftloop.redrive.arrivals import Arrivals, reaches, starts_of
from driftloop.redrive.original import Changed, Original

MAX_CHANGE = 300  # characters of what was done to the messages
BATCH = 200  # messages between two looks at the record; so many are sent before they are put on it
SETTLE_SECONDS = 1.0  # what a process wrote before it was killed may still be on its way into the broker
RECOVERED = "found in the topic after its run had broken off"


class RedriveRecord(Protocol):
    """The topic ``redrives``, folded."""

    @property
    def fold(self) -> Redrives: ...

    def sync(self) -> None:
        """Return when all that the topic held at the call is folded. Raises TransientError."""


class Broker(NamedTuple):
    topics: Topics
    producer: MessageProducer
    events: EventPublisher
    record: RedriveRecord


class Who(NamedTuple):
    """``machine`` and ``process``: of this run."""

    run: str
    by: str
    why: str
    machine: str
    process: str


Outgoing = tuple[Original, Changed]


class Run:
    """``begin``, any number of ``send``, ``end``. For one thread. Every method raises TransientError."""

    def __init__(self, stream: str, who: Who, broker: Broker, has_ended: Callable[[str, str], bool]) -> None:
        self._stream, self._who, self._broker, self._has_ended = stream, who, broker, has_ended
        self._arrivals: Arrivals | None = None
        self._partitions: dict[str, int] = {}
        self._sent = 0
        self._begun = False

    def begin(self, *, take_over: bool = False) -> frozenset[str]:
        """Hold the stream, and put on record what runs that broke off had sent: the ids of that.

        Raises UserError while another run holds it that may still be at work; ``take_over``: whoever says so knows that it is not.
        """
        record, who = self._broker.record, self._who
        record.sync()
        holder = record.fold.holder
        if holder is not None and not take_over and not self._has_ended(holder.started.machine, holder.started.process):
            raise UserError(_held(holder))
        where = reaches(self._broker.topics, [names.requests(self._stream), names.labels(self._stream)])
        started = RedriveStarted(
            stream=self._stream,
            run=who.run,
            by=who.by,
            why=who.why,
            machine=who.machine,
            process=who.process,
            reach=where,
            takes_over=None if holder is None else holder.started.run,
        )
        self._publish(started, who.run)
        self._begun = True
        crash_point("redrive.after-start")
        self._still_ours()
        self._partitions = {reach.topic: len(reach.ends) for reach in where}
        recovered = self._recovered()
        starts = {tp: offset for reach in where for tp, offset in starts_of(reach, reach.topic_id, len(reach.ends)).items()}
        self._arrivals = Arrivals(self._broker.topics, starts)
        return recovered

    def send(self, change: str, messages: Sequence[Outgoing]) -> list[RedrivenMessage]:
        """Send at most BATCH messages, and put on record where they are. Raises UserError when another run has taken over."""
        change = change[:MAX_CHANGE]
        assert self._arrivals is not None
        self._still_ours()  # whoever has taken over sends what this run has not
        crash_point("redrive.before-send")
        for original, changed in messages:
            self._broker.producer.send(
                original.topic,
                changed.value,
                key=changed.key,
                # where it came from, so that what shares its key keeps its order; a topic that was made anew may be narrower
                partition=original.partition if original.partition < self._partitions[original.topic] else None,
                headers=(*changed.headers, redrive_header(self._said(original, change))),
            )
        self._broker.producer.flush()
        crash_point("redrive.after-send")
        found = self._arrivals.of_run(self._who.run, {original.id for original, _ in messages})
        if len(found) < len(messages):  # the topic was made anew in between, say
            raise TransientError("not all that was sent could be found in its topic again: run it again, it goes on from what is there")
        done = [found[original.id] for original, _ in messages]
        self._tell(self._who, change, done)
        self._sent += len(done)
        crash_point("redrive.after-record")
        return done

    def end(self, *, whole: bool) -> None:
        """Let go of the stream. ``whole``: nothing that was sent is missing on the record."""
        if self._arrivals is not None:
            self._arrivals.close()
        if self._begun:
            self._publish(RedriveEnded(stream=self._stream, run=self._who.run, sent=self._sent, whole=whole), self._who.run)

    def _still_ours(self) -> None:
        self._broker.record.sync()
        holder = self._broker.record.fold.holder
        if holder is None or holder.started.run != self._who.run:
            raise UserError(_held(holder) if holder is not None else f"another redrive of {self._stream} has just ended: ask again")

    def _recovered(self) -> frozenset[str]:
        """What runs that broke off had sent and not put on record."""
        broken = [begun for run, begun in self._broker.record.fold.unfinished.items() if run != self._who.run]
        if not broken:
            return frozenset()
        time.sleep(SETTLE_SECONDS)
        found: set[str] = set()
        for begun in broken:
            found |= self._found_of(begun.started)
        return frozenset(found)

    def _found_of(self, run: RedriveStarted) -> set[str]:
        known = self._broker.topics.describe([reach.topic for reach in run.reach])
        starts = {
            tp: at for reach in run.reach for tp, at in starts_of(reach, known[reach.topic].id, known[reach.topic].partitions).items()
        }
        if not starts:
            return set()
        arrivals = Arrivals(self._broker.topics, starts)
        try:
            found = arrivals.of_run(run.run)
        finally:
            arrivals.close()
        lacking = [message for message in found.values() if not self._broker.record.fold.sent_by(message.id, run.run)]
        for at in range(0, len(lacking), BATCH):
            self._tell(run, RECOVERED, lacking[at : at + BATCH])
        self._broker.record.sync()
        return set(found)

    def _said(self, original: Original, change: str) -> Redrive:
        return Redrive(
            id=original.id,
            quarantined=original.quarantined,
            topic=original.topic,
            partition=original.partition,
            offset=original.offset,
            run=self._who.run,
            by=self._who.by,
            why=self._who.why,
            change=change,
        )

    def _tell(self, of: "Who | RedriveStarted", change: str, messages: Sequence[RedrivenMessage]) -> None:
        if messages:
            event = MessagesRedriven(stream=self._stream, run=of.run, by=of.by, why=of.why, change=change, messages=tuple(messages))
            self._publish(event, of.run, *(message.id for message in messages))

    def _publish(self, event: Event, *cause: str) -> None:
        self._broker.events.publish(REDRIVES, event, key=self._stream, id=caused_id("redrive", event.TYPE, *cause))


def _held(by: Begun) -> str:
    said = by.started
    return (
        f"{said.by} is at it since {by.at:%Y-%m-%d %H:%M:%S} UTC (run {said.run}: {said.why}): wait for its end. If it has ended without "
        "saying so, as by kill -9 on another machine, --take-over goes on from where it was"
    )
