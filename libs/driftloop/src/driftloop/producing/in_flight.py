"""Messages between an application and the broker: how many there may be, and what became of each."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from driftloop.errors import TransientError, UserError
from driftloop.producing.messages import Delivered, Failed, Message
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class Underway(NamedTuple):
    """A message that the broker has not answered for, under its number."""

    number: int
    message: Message
    delivery: "Future[None]"


class InFlight:
    """At most so many messages and bytes at once; what is larger than that by itself goes alone. Safe between threads."""

    def __init__(self, messages: int, size: int, on_failure: Callable[[Failed], None] | None) -> None:
        self._most_messages, self._most_bytes, self._on_failure = messages, size, on_failure
        self._changed = threading.Condition()
        self._underway: dict[int, Underway] = {}  # in the order of their numbers
        self._bytes = self._numbers = 0
        self._sent = self._delivered = self._failed = 0
        self._reason: str | None = None
        self._closed = False

    def enter(self, messages: Sequence[Message], timeout_seconds: float) -> list[Underway]:
        """All of them or none, once there is room. Raises TransientError when there is none in time, UserError once it is closed."""
        size, deadline = sum(message.size for message in messages), time.monotonic() + timeout_seconds
        with self._changed:
            while self._refuse_closed() or not self._room(len(messages), size):
                if not self._changed.wait(deadline - time.monotonic()) and not self._room(len(messages), size):
                    raise TransientError(
                        f"{len(self._underway)} messages of {self._bytes} bytes wait for the broker, and there was no room for more in "
                        f"{timeout_seconds:g} s: nothing of this was sent; try again, more slowly"
                    )
            entered = [Underway(self._numbers + n, message, Future()) for n, message in enumerate(messages)]
            self._underway |= {one.number: one for one in entered}
            self._numbers += len(entered)
            self._bytes += size
            self._sent += sum(len(message.event_ids) for message in messages)
        for one in entered:
            one.delivery.set_running_or_notify_cancel()  # whoever gives up waiting takes nothing back
        return entered

    def leave(self, number: int, failure: Exception | None) -> None:
        """The broker holds it, or why it does not; what is said a second time is passed over."""
        with self._changed:
            found = self._underway.pop(number, None)
            if found is None:
                return
            self._bytes -= found.message.size
            rows = len(found.message.event_ids)
            self._delivered += rows if failure is None else 0
            self._failed += 0 if failure is None else rows
            if failure is not None and rows:
                self._reason = self._reason or str(failure)
            self._changed.notify_all()
        if failure is None:
            found.delivery.set_result(None)
            return
        found.delivery.set_exception(failure)
        if found.message.event_ids:
            self._tell(Failed(found.message.topic, found.message.event_ids, str(failure), found.message.value))

    def wait(self, timeout_seconds: float) -> bool:
        """Until what was sent before this call has been answered for; False when it was not in time."""
        with self._changed:
            last = self._numbers
            return self._changed.wait_for(lambda: next(iter(self._underway), last) >= last, timeout_seconds)

    def report(self) -> Delivered:
        with self._changed:
            waiting = sum(len(one.message.event_ids) for one in self._underway.values())
            return Delivered(self._sent, self._delivered, self._failed, waiting, self._reason)

    def close(self) -> None:
        """Nothing enters any more; who waits for room is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def give_up(self, reason: str) -> None:
        """What has not been answered for has failed."""
        for number in list(self._underway):
            self.leave(number, TransientError(reason))

    def _room(self, messages: int, size: int) -> bool:
        if not self._underway:
            return True
        return len(self._underway) + messages <= self._most_messages and self._bytes + size <= self._most_bytes

    def _refuse_closed(self) -> bool:
        if self._closed:
            raise UserError("this producer is closed: nothing was sent; make another")
        return False

    def _tell(self, failed: Failed) -> None:
        if self._on_failure is None:
            return
        try:
            self._on_failure(failed)
        except Exception as exc:  # noqa: BLE001 - the application's own, in the thread that serves the broker
            log.error("on-failure-failed", reason=repr(exc), topic=failed.topic, event_ids=failed.event_ids[:10])
