"""A thread that follows something and is not let end: whatever goes wrong in it is seen, and tried again."""

import threading
import time
from collections.abc import Callable
from typing import Any

from driftloop import metrics
from driftloop.errors import ConfigurationError, GapError, IntegrityError, TransientError
from driftloop.telemetry import get_logger

FIRST_PAUSE_SECONDS = 0.5  # doubled with every failure in a row
LONGEST_PAUSE_SECONDS = 60.0
# A follower that has not come along for so long, for another reason than that the world was not ready, makes its service not ready.
# Longer than a step may wait for a store that does not answer.
STUCK_SECONDS = 120.0

_followers: "set[SupervisedThread]" = set()  # of this process: started, and not stopped
_lock = threading.Lock()

log = get_logger(__name__)


class SupervisedThread:
    """Takes one step after another until it is stopped.

    A step that returns was a success: the follower is as young as that. One that raises is logged (a TransientError as what it is,
    anything else with its traceback), counted, and taken again after a pause that doubles up to the longest. So nothing
    ends such a thread but ``stop``, ``driftloop_follower_age_seconds`` shows one that no longer comes along, and ``/readyz`` and
    ``/status`` of every service tell of it (``stuck``, ``followers``).

    A step should return at least every few seconds while nothing happens, and soon after ``stopping`` is set.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        *,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._step, self._longest, self._clock = name, step, longest_pause_seconds, clock
        self._came_along = clock()
        self._failures = self._in_a_row = 0
        self._world_not_ready = False  # why the last step failed, if it did
        self._last_error: str | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._came_along = self._clock()
        metrics.FOLLOWER_AGE.labels(self.name).set_function(self.age_seconds)
        metrics.FOLLOWER_FAILURES.labels(self.name)  # shown from the start, as 0
        self._thread.start()
        with _lock:
            _followers.add(self)

    def stop(self, timeout_seconds: float = 5.0) -> bool:
        """Return when the step in hand has ended, or after the timeout: then False. One that was never started has ended."""
        self._stopping.set()
        self._woken.set()
        with _lock:
            _followers.discard(self)
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def wake(self) -> None:
        """There is news: end a ``wait``, also the pause after a failure. For any thread."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """For steps: until ``wake`` or ``stop``, or so long."""
        self._woken.wait(seconds)
        self._woken.clear()

    def age_seconds(self) -> float:
        """Since the last step that was a success, or since the start."""
        return self._clock() - self._came_along

    def problem(self) -> str | None:
        """Why it does not do its work, if that is not because broker or store are away; None while it does."""
        if not self._thread.is_alive():
            return "it has ended"
        if self._world_not_ready or self.age_seconds() <= STUCK_SECONDS:
            return None
        said = self._last_error if self._in_a_row else "its step does not return"
        return f"for {self.age_seconds():.0f} s: {said}"

    def as_dict(self) -> dict[str, Any]:
        """For ``/status``."""
        return {"age_seconds": round(self.age_seconds(), 1), "failures": self._failures, "last_error": self._last_error}

    def _run(self) -> None:
        while not self.stopping:
            try:
                self._step()
            except BaseException as exc:  # noqa: BLE001  a thread that ends takes its follower along, and nobody would know
                self._failed(exc)
            else:
                self._came_along, self._in_a_row, self._world_not_ready = self._clock(), 0, False

    def _failed(self, exc: BaseException) -> None:
        self._failures += 1
        self._in_a_row += 1
        self._last_error = f"{type(exc).__name__}: {exc}"
        metrics.FOLLOWER_FAILURES.labels(self.name).inc()
        expected = self._world_not_ready = isinstance(exc, TransientError)
        pause = min(self._longest, FIRST_PAUSE_SECONDS * 2.0 ** min(self._in_a_row - 1, 10))
        if expected:
            log.warning("follower-postponed", follower=self.name, reason=str(exc), pause_seconds=pause)
        else:
            foreseen = isinstance(exc, (ConfigurationError, GapError, IntegrityError))  # its sentence says it all
            log.error("follower-broke-down", exc_info=not foreseen, follower=self.name, reason=self._last_error, pause_seconds=pause)
        if not self.stopping:
            self.wait(pause)


def followers() -> dict[str, dict[str, Any]]:
    """All of this process, by name, for ``/status``."""
    return {thread.name: thread.as_dict() for thread in _by_name()}


def stuck() -> dict[str, str]:
    """Those of this process that do not do their work, by name, and why: for ``/readyz``."""
    problems = {thread.name: thread.problem() for thread in _by_name()}
    return {name: problem for name, problem in problems.items() if problem is not None}


def _by_name() -> list[SupervisedThread]:
    with _lock:
        return sorted(_followers, key=lambda thread: thread.name)
