"""Going on when broker or store are not there yet, and passing over what can never be read."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
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

    Raises Stopped as soon as a stop is requested, and whatever else ``connect`` raises.
    """
    while True:
        stop.check()
        try:
            return _unless_stopped(connect, stop)
        except TransientError as exc:
            log.warning("broker-unreachable", reason=str(exc))
            on_failure(exc)
            stop.wait(RETRY_SECONDS)


def _unless_stopped(work: Callable[[], T], stop: Stop) -> T:
    """In a thread that is left behind when the stop comes: a client may wait for its broker longer than a stop may take."""
    outcome: Future[T] = Future()
    done = threading.Event()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            outcome.set_exception(exc)
        done.set()

    threading.Thread(target=run, name="connecting", daemon=True).start()
    while not done.wait(0.1):
        stop.check()
    return outcome.result()


def left_in_place(event: str) -> Callable[[Record, str], None]:
    """What to do with unreadable records of a topic that is kept for ever: they stay where they are, and ``event`` with their
    coordinates goes to the log."""

    def reject(record: Record, reason: str) -> None:
        log.error(event, reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)

    return reject
