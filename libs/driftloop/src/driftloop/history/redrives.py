"""What was sent again of a stream's rejected messages, and which run may send more. Pure: a fold of the topic ``redrives``."""

from datetime import datetime

import msgspec

from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event, MessagesRedriven, RedriveEnded, RedriveStarted
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, RedrivenMessage, Time


class SentAgain(Part, frozen=True, kw_only=True):
    """One redrive of a message. ``at``: when it was put on record."""

    at: Time
    run: str
    by: str
    why: str
    change: str
    message: RedrivenMessage


class Begun(Part, frozen=True, kw_only=True):
    """A run that holds the stream, or that has ended with more sent than it has put on record."""

    at: Time
    started: RedriveStarted


class _Stored(Part, frozen=True, kw_only=True):
    stream: str
    holder: Begun | None
    unfinished: dict[str, Begun]
    sent: dict[str, list[SentAgain]]


class Redrives:
    """Keeps ``history.events.EventFold``, of one stream.

    ``holder`` may send, and nobody else: a run that starts beside it, without taking over from it, is none. ``unfinished`` are runs
    of which something may lie in the topics that is not on record.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.reset()

    def reset(self) -> None:
        self.holder: Begun | None = None
        self.unfinished: dict[str, Begun] = {}
        self._sent: dict[str, list[SentAgain]] = {}

    def add(self, event: Event, about: Envelope) -> None:
        match event:
            case RedriveStarted() if event.stream == self._stream:
                self._started(event, about.time)
            case MessagesRedriven() if event.stream == self._stream:
                self._redriven(event, about.time)
            case RedriveEnded() if event.stream == self._stream:
                self._ended(event)
            case _:
                pass  # of another stream, or of a newer program

    def sent(self, id: str) -> tuple[SentAgain, ...]:
        """Every redrive of a message, in the order of the record."""
        return tuple(self._sent.get(id, ()))

    def sent_by(self, id: str, run: str) -> bool:
        return any(done.run == run for done in self._sent.get(id, ()))

    def stored(self) -> bytes:
        return msgspec.msgpack.encode(_Stored(stream=self._stream, holder=self.holder, unfinished=self.unfinished, sent=self._sent))

    def restore(self, stored: bytes) -> None:
        found = msgspec.msgpack.decode(stored, type=prepared(_Stored))
        if found.stream != self._stream:
            raise ValueError(f"it is the fold of {found.stream}")
        self.holder, self.unfinished, self._sent = found.holder, found.unfinished, found.sent

    def _started(self, event: RedriveStarted, at: datetime) -> None:
        if self.holder is not None and event.takes_over != self.holder.started.run:
            return
        self.holder = Begun(at=at, started=event)
        self.unfinished[event.run] = self.holder

    def _redriven(self, event: MessagesRedriven, at: datetime) -> None:
        for message in event.messages:
            if self.sent_by(message.id, event.run):
                continue
            done = SentAgain(at=at, run=event.run, by=event.by, why=event.why, change=event.change, message=message)
            self._sent.setdefault(message.id, []).append(done)

    def _ended(self, event: RedriveEnded) -> None:
        """Whoever ends whole has looked for what the runs before it have left."""
        if self.holder is None or self.holder.started.run != event.run:
            return
        self.holder = None
        if event.whole:
            self.unfinished = {}
