"""How an agent ends the process: faust would restart it and count the message as done."""

import asyncio

from driftloop.errors import ConfigurationError, GapError, TransientError
from driftloop.service.process import EXIT_RESTART, Stop
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class Failure:
    """The first exception that no retry can mend; it is raised after the app has stopped."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.reason: BaseException | None = None

    async def halt(self, exc: BaseException) -> None:
        """Ask the process to stop and never return, so that nothing after the failure is acknowledged."""
        log.error("agent-failed", kind=type(exc).__name__, reason=str(exc), exc_info=True)
        self.reason = self.reason or exc
        self._stop.request(1)
        await asyncio.Event().wait()

    async def start_again(self, why: str) -> None:
        """Ask the process to stop and to be started again at once, and never return."""
        if not self._stop.requested():
            log.info("starting-again", reason=why)
        self._stop.request(EXIT_RESTART)
        await asyncio.Event().wait()

    def raise_reason(self) -> None:
        """As an error that the process ends with; returns when there was none."""
        if isinstance(self.reason, ConfigurationError | GapError | TransientError):
            raise self.reason
        if self.reason is not None:
            raise TransientError(f"unexpected: {self.reason!r}") from self.reason  # it was logged where it happened
