"""Going on when broker or store are not there yet, and passing over what can never be read."""

from collections.abc import Callable
from typing import TypeVar

from driftloop.errors import TransientError
from driftloop.ports import Record
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger

RETRY_SECONDS = 1.0

T = TypeVar("T")

log = get_logger(__name__)


def until_connected(connect: Callable[[], T], stop: Stop, *, on_failure: Callable[[TransientError], None] = lambda _: None) -> T:
    """What ``connect`` gives, tried again after every TransientError, which ``on_failure`` is told.

    Raises Stopped when the stop came first, and whatever else ``connect`` raises.
    """
    while True:
        stop.check()
        try:
            return connect()
        except TransientError as exc:
            log.warning("broker-unreachable", reason=str(exc))
            on_failure(exc)
            stop.wait(RETRY_SECONDS)


def left_in_place(event: str) -> Callable[[Record, str], None]:
    """What to do with unreadable records of a topic that is kept for ever: they stay where they are, and ``event`` with their
    coordinates goes to the log."""

    def reject(record: Record, reason: str) -> None:
        log.error(event, reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)

    return reject
