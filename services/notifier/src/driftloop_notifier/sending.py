"""What becomes of one attempt to send, sorted by what to do about it."""

from typing import Protocol

from driftloop.contracts.notify_rules import NotifyRule
from driftloop_notifier.memory import Letter


class Refused(Exception):
    """The receiver will not take it, however often it is sent."""


class NotTaken(Exception):
    """Not now: send it again later. ``after_seconds``: when the receiver asks for that, which is bounded by whoever waits."""

    def __init__(self, problem: str, after_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.after_seconds = after_seconds


class Sender(Protocol):
    """Sends a letter by one kind of way."""

    def send(self, letter: Letter, rule: NotifyRule) -> None:
        """Return once the receiver has taken it; within a bounded time. Raises Refused, NotTaken."""
