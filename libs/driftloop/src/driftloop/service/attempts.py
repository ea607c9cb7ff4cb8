"""How often one record is tried that fails in a way nobody foresaw: a few times, slowly, and then the partition goes on without it.

An error of a known kind says itself what to do (``driftloop.errors``). Any other may come from the record, and would come again
after every restart, or from a fault of ours, and would come with every record: so the tries are slow enough to be noticed.
"""

from driftloop import metrics
from driftloop.errors import ConfigurationError, Fenced, GapError, TransientError

MAX_ATTEMPTS = 4
KNOWN = (ConfigurationError, Fenced, GapError, TransientError)


class Attempts:
    """Of one record at a time, which is named by anything that tells it from the others."""

    def __init__(self) -> None:
        self._record: object = None
        self._failed = 0

    def again(self, record: object, exc: Exception) -> float | None:
        """After a failure: seconds to wait before the next try; None when it was the last. Raises ``exc`` if it is of a known kind."""
        if isinstance(exc, KNOWN):
            raise exc
        self._failed = self._failed + 1 if record == self._record else 1
        self._record = record
        if self._failed < MAX_ATTEMPTS:
            metrics.RETRIES.labels("unforeseen").inc()
            return 0.2 * 2.0**self._failed
        self._record = None
        metrics.UNFORESEEN.inc()
        return None


def unforeseen(exc: BaseException) -> str:
    """The reason with which such a record is set aside."""
    return f"failed {MAX_ATTEMPTS} times in a way that was not foreseen: {type(exc).__name__}: {exc}"
