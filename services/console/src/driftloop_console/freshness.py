"""How far the pages' record is behind the log, and what is in the way, in sentences for the head of every page."""

import threading
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from driftloop.errors import ConfigurationError, TransientError
from driftloop.service.process import Stop
from driftloop.service.project import FollowedRegistry

SYNC_SECONDS = 5.0  # between two looks at the log's end, and for each of them


class Follower(Protocol):
    """A reader of the record in a thread of its own."""

    def sync(self, timeout_seconds: float = ...) -> None:
        """Return once all that the topics held at the time of the call is folded. Raises TransientError."""


class Known(NamedTuple):
    """``as_of``: when all that the topics held was folded last; None: not since the start. ``trouble``: why not now."""

    as_of: datetime | None
    trouble: str | None


class Freshness:
    """Looks every few seconds; the pages show what it found, and never wait for the broker themselves."""

    def __init__(self, follower: Follower, registry: FollowedRegistry) -> None:
        self._follower, self._registry = follower, registry
        self._lock = threading.Lock()
        self._known = Known(None, None)

    def run(self, stop: Stop) -> None:
        """Until a stop is requested."""
        while not stop.requested():
            self.look()
            stop.wait(SYNC_SECONDS if self.caught_up else 0.2)

    def look(self) -> None:
        try:
            self._follower.sync(SYNC_SECONDS)
            known = Known(datetime.now(UTC), None)
        except (TransientError, ConfigurationError) as exc:
            known = Known(self._known.as_of, str(exc))
        with self._lock:
            self._known = known

    @property
    def known(self) -> Known:
        with self._lock:
            return self._known

    @property
    def caught_up(self) -> bool:
        """Whether all of the record and of the registry's log has been folded once."""
        return self.known.as_of is not None and self._registry.caught_up

    def sentences(self) -> list[str]:
        """What a reader of a page must know; none while all is well."""
        as_of, trouble = self.known
        found = []
        if as_of is None:
            found.append("The record is still being read: what is shown is not all yet." + (f" ({trouble})" if trouble else ""))
        elif trouble is not None:
            found.append(f"The broker does not answer: what is shown is as of {as_of:%Y-%m-%d %H:%M:%S} UTC. ({trouble})")
        if not self._registry.caught_up:
            found.append("The registry’s log is still being read: versions may be missing.")
        return found
