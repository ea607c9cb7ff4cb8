"""Keeps the SQLite view at the newest state, and makes it anew when it was deleted or damaged."""

import threading
import time

from driftloop import metrics
from driftloop.errors import TransientError
from driftloop.registry.fold import RegistryReader, RegistryState
from driftloop.registry.view import StateView, ViewBroken, ViewUnavailable
from driftloop.supervised import SupervisedThread
from driftloop.telemetry import get_logger

LOOK_SECONDS = 1.0  # a deleted file is noticed this soon even when nothing is written
VERIFY_SECONDS = 30.0  # flipped bytes that SQLite cannot see are

log = get_logger(__name__)


class ViewKeeper:
    """A thread beside the answers: the view may lag or be broken, and no caller of the registry notices."""

    def __init__(self, view: StateView, reader: RegistryReader, *, verify_seconds: float = VERIFY_SECONDS) -> None:
        self.rebuilds = 0
        self._view, self._reader, self._verify_seconds = view, reader, verify_seconds
        self._lock = threading.Lock()
        self._made = False
        self._verify_at = 0.0
        self.thread = SupervisedThread("view-keeper", self._step)

    def start(self) -> None:
        self._verify_at = time.monotonic() + self._verify_seconds
        self.thread.start()

    def stop(self) -> None:
        self.thread.stop()
        self._view.close()

    def on_state(self, _state: RegistryState) -> None:
        """Subscribe this to the follower."""
        self.thread.wake()

    def verified_digest(self) -> tuple[int, str, str]:
        """Offset, the state's digest and the view's at that offset, read back from its rows after healing what was found broken.

        Raises TransientError when the file cannot be written.
        """
        try:
            with self._lock:
                return self._verify()
        except (ViewBroken, ViewUnavailable) as exc:
            raise TransientError(f"the registry's database cannot be written now: {exc}") from exc

    def _step(self) -> None:
        self.thread.wait(LOOK_SECONDS)
        try:
            with self._lock:
                self._catch_up(self._reader.state())
                if time.monotonic() > self._verify_at:
                    self._verify()
                    self._verify_at = time.monotonic() + self._verify_seconds
        except (ViewBroken, ViewUnavailable) as exc:  # also broken while it was being made: the next round makes it again
            log.warning("view-not-written", reason=str(exc))

    def _catch_up(self, state: RegistryState) -> None:
        try:
            self._view.write(state)
        except ViewBroken as exc:
            self._remake(state, str(exc))

    def _verify(self) -> tuple[int, str, str]:
        state = self._reader.state()
        self._catch_up(state)
        expected = state.digest()
        try:
            offset, found = self._view.digest()
        except ViewBroken as exc:
            offset, found = -1, str(exc)
        if (offset, found) != (state.next_offset, expected):
            self._remake(state, f"its digest at {offset} is {found}, not {expected}")
            offset, found = self._view.digest()
        return state.next_offset, expected, found

    def _remake(self, state: RegistryState, reason: str) -> None:
        self._view.recreate(state)
        if self._made:
            self.rebuilds += 1
            metrics.VIEW_REBUILDS.inc()
            log.warning("view-rebuilt", reason=reason, offset=state.next_offset)
        self._made = True
