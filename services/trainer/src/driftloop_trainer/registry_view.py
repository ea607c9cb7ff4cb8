"""The registry as of now: what the log holds at this moment, and the verdict on the run before."""

import time

from driftloop.contracts.codec import caused_id
from driftloop.errors import TransientError
from driftloop.registry.fold import RegistryReader, RegistryState
from driftloop.service.process import Stop
from driftloop.telemetry import get_logger

LOG_SECONDS = 15.0
VERDICT_SECONDS = 10.0

log = get_logger(__name__)


class RegistryNow:
    """Reads through the follower, up to where the log ends at the moment."""

    def __init__(self, reader: RegistryReader, stop: Stop) -> None:
        self._reader, self._stop = reader, stop

    def state(self) -> RegistryState:
        """Everything that the log holds at the time of the call is folded. Raises TransientError."""
        return self._reader.sync(LOG_SECONDS)

    def after_verdict(self, request_id: str | None) -> RegistryState:
        """The state once the registry has judged the run of ``request_id``: who the champion is depends on it.

        Waits a little and then goes on without: a candidate measured against an old champion is refused, not promoted.
        """
        deadline = time.monotonic() + VERDICT_SECONDS
        state = self.state()
        while request_id is not None and not _judged(state, request_id) and not self._stop.requested():
            if time.monotonic() > deadline:
                log.warning("verdict-not-awaited", request_id=request_id)
                break
            self._stop.wait(0.1)
            state = self._reader.state()
        if self._stop.requested():
            raise TransientError("stopping")
        return state


def _judged(state: RegistryState, request_id: str) -> bool:
    registered = state.outcome(caused_id("register", request_id))
    if registered is not None and not registered.accepted:
        return True
    return state.outcome(caused_id("promote", request_id)) is not None
