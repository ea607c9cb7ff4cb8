"""A thread that keeps a reader at the end of its topics, and tells when it holds everything published so far."""

import threading

from driftloop.errors import ConfigurationError, TransientError
from driftloop.history.log_reader import LogReader
from driftloop.supervised import SupervisedThread

READ_SECONDS = 0.05  # one wait for records; a question waits no longer than that for its turn
ANSWER_SECONDS = 5.0  # without a record
RETRY_SECONDS = 2.0  # at most


class LogFollower:
    """Goes on through broker outages, and through a topic that is missing for a while."""

    def __init__(self, reader: LogReader, *, name: str) -> None:
        self._reader, self._name = reader, name
        self._changed = threading.Condition()
        self._asked = self._answered = 0
        self._trouble = ""
        self._failure: Exception | None = None
        self.thread = SupervisedThread(name, self._round, longest_pause_seconds=RETRY_SECONDS)

    def start(self) -> "LogFollower":
        self.thread.start()
        return self

    def stop(self) -> None:
        if self.thread.stop():
            self._reader.close()

    def sync(self, timeout_seconds: float = 20.0) -> None:
        """Return once all that the topics held at the time of the call is folded.

        Raises TransientError, and whatever the fold raises: it is tried again until it no longer does.
        """
        with self._changed:
            self._asked += 1
            mine = self._asked
            done = self._changed.wait_for(lambda: self._answered >= mine or self._failure is not None, timeout_seconds)
            if self._failure is not None:
                raise self._failure
            if not done:
                why = f": {self._trouble}" if self._trouble else ""
                raise TransientError(f"the {self._name} was not up to date within {timeout_seconds:g} s{why}")

    def _round(self) -> None:
        try:
            self._step()
        except (TransientError, ConfigurationError) as exc:
            self._trouble = str(exc)
            raise
        except Exception as exc:
            with self._changed:
                self._failure = exc
                self._changed.notify_all()
            raise
        self._trouble, self._failure = "", None

    def _step(self) -> None:
        asked = self._asked
        if asked == self._answered:
            self._reader.read(READ_SECONDS)
        elif self._reader.catch_up(ANSWER_SECONDS):
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
