"""Where a log ends now: what a reader waits for, so that it sees everything that was acknowledged before it asked."""

import threading

from driftloop.errors import TransientError
from driftloop.ports import MessageConsumer, TopicPartition, Topics
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class LogEnd:
    """Asks the broker, one question after another, for any thread. Keeps its connection, and makes a new one after an error."""

    def __init__(self, topics: Topics, tp: TopicPartition) -> None:
        self._topics, self._tp = topics, tp
        self._consumer: MessageConsumer | None = None
        self._lock = threading.Lock()

    def offset(self) -> int:
        """The offset after the last record, as of now or later. Raises TransientError."""
        with self._lock:
            try:
                if self._consumer is None:
                    self._consumer = self._topics.reader([self._tp])
                return self._consumer.end_offsets([self._tp])[self._tp]
            except TransientError:
                self._close()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                consumer.close()
            except TransientError as exc:
                log.warning("reader-not-closed", reason=str(exc))
