"""A worker that hangs while partitions are handed out counts nothing, and nobody else counts its partitions."""

import time
from collections.abc import Callable


class Unsettled:
    """For how long a worker has been without settled partitions.

    faust has been seen to stay in a rebalance for good after the broker had been killed in one: a fresh start takes seconds.
    """

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit_seconds, clock
        self._since = clock()

    def too_long(self, *, settled: bool) -> bool:
        """Told at every look; True once it has been unsettled for longer than the limit without a break."""
        now = self._clock()
        if settled:
            self._since = now
        return now - self._since > self._limit
