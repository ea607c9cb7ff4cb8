"""Messages that faust hands out before their turn.

What was fetched before the consumer was placed at its table's offset still comes, and comes again after it.
"""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0


class EarlyMessages:
    """Tells an early message, to be left unacknowledged, from a gap. One per partition."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._monotonic = patience_seconds, monotonic
        self._since: float | None = None

    def is_one(self, offset: int, due: int) -> bool:
        """Whether to pass over this message for now. False also when the one that is due has not come for so long that it is missing."""
        if offset <= due:
            self._since = None
            return False
        now = self._monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since < self._patience
