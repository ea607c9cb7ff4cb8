"""A gap stops a service until a person has found the messages or has given them up: it is told before the process ends.

A process that ended at once would be started again and end again, in seconds: nobody who looks now and then would see why, and a
supervisor that counts quick deaths would give it up. So it stays for a while, not ready, with the offsets and the command in
``/readyz`` and with ``driftloop_gap``; then it ends, and its next start goes on if the gap is on record.
"""

import threading
from typing import Any

from driftloop import metrics
from driftloop.errors import GapError
from driftloop.service.health import Health
from driftloop.service.process import EXIT_FAILED, Stop
from driftloop.telemetry import get_logger

GAP_SECONDS = 15.0  # more than a scrape takes to come by, and than a supervisor calls a quick death

log = get_logger(__name__)


class ToldGap:
    """A service's health, and the gap that it has stopped at."""

    def __init__(self, health: Health, seconds: float | None = None) -> None:
        self._health, self._seconds = health, GAP_SECONDS if seconds is None else seconds
        self._gap: str | None = None
        metrics.GAP.set(0)

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return self._health.ready() if self._gap is None else (False, {"reason": self._gap})

    def status(self) -> dict[str, Any]:
        return {**self._health.status(), "gap": self._gap}

    def tell(self, exc: GapError, stop: Stop) -> None:
        """Return after a while, or at once when the process is asked to end."""
        self._gap = str(exc)
        metrics.GAP.set(1)
        log.error("stopped-at-a-gap", reason=str(exc))
        if stop.requested() and stop.code == EXIT_FAILED:  # by the part that met the gap; nobody asked from outside
            threading.Event().wait(self._seconds)
        else:
            stop.wait(self._seconds)
