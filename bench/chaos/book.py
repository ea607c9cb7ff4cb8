"""What was sent and what became of it, as the applications know it. An outcome is ok, failed or unknown; unknown counts as maybe."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from bench.chaos.messages import Message, Topic, Via
from driftloop.contracts.headers import header
from driftloop.ports import Record

UID = "x-chaos-id"  # header of every message of the run, and of nothing else
Outcome = Literal["unknown", "ok"]


class Sent(NamedTuple):
    """A message as it was handed to a client. ``digest``: sha256 of its bytes, null for none."""

    uid: str
    stream: str
    topic: Topic
    kind: str
    events: tuple[str, ...]
    digest: str | None
    via: Via
    codec: str

    @property
    def bad(self) -> bool:
        return not self.events


class Book:
    """Messages and calls with their outcomes. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, Sent] = {}
        self._ok: set[str] = set()
        self._calls: dict[str, dict[str, str]] = {}  # stream → event id → how sure it is that it was recorded
        self._refused: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()  # reasons of unknown outcomes

    def sending(self, stream: str, message: Message, via: Via, codec: str) -> Sent:
        """Before a client gets it: unknown until ``arrived``."""
        with self._lock:
            uid = f"{stream}-{len(self._sent)}"
            sent = Sent(uid, stream, message.topic, message.kind, message.events, digest(message.value), via, codec)
            self._sent[uid] = sent
        return sent

    def arrived(self, uid: str) -> None:
        with self._lock:
            self._ok.add(uid)

    def failed(self, reason: str) -> None:
        """Its outcome stays unknown."""
        with self._lock:
            self.failures[reason] += 1

    def called(self, stream: str, events: Iterable[str], how: Literal["maybe", "answered", "durable"]) -> None:
        """A call with these rows: perhaps recorded, answered, or confirmed to be with the broker. What is surer stays."""
        order = ("maybe", "answered", "durable")
        with self._lock:
            known = self._calls.setdefault(stream, {})
            for event in events:
                known[event] = max(known.get(event, how), how, key=order.index)

    def refused(self, stream: str) -> None:
        """A call that had to be refused was."""
        with self._lock:
            self._refused[stream] += 1

    def messages(self, stream: str) -> list[Sent]:
        with self._lock:
            return [sent for sent in self._sent.values() if sent.stream == stream]

    def ok(self, uid: str) -> bool:
        with self._lock:
            return uid in self._ok

    def calls(self, stream: str, how: str) -> set[str]:
        """Event ids of calls with that outcome."""
        with self._lock:
            return {event for event, found in self._calls.get(stream, {}).items() if found == how}

    def n_refused(self, stream: str) -> int:
        with self._lock:
            return self._refused[stream]

    @property
    def n_sent(self) -> int:
        with self._lock:
            return len(self._sent)

    @property
    def n_ok(self) -> int:
        with self._lock:
            return len(self._ok)


def uid_of(record: Record) -> str | None:
    """None for what the applications of this run have not sent, such as watermarks."""
    found = header(record.headers, UID)
    return None if found is None else found.decode()


def digest(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()
