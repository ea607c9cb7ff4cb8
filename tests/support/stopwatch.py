"""Seconds that count only as far as the machine is there: for promises such as "ends within ten seconds" on a busy machine."""

import threading
import time
from types import TracebackType

_LOOK_SECONDS = 0.1
_SPIN_SECONDS = 0.01  # of CPU; so a look takes a tenth of a core at most


class Stopwatch:
    """``seconds`` in its block. Each moment counts by the share of a core that one more thread gets just then.

    On a machine with a core to spare these are seconds of the clock. With three others on each core a quarter of them: then what
    is measured gets a quarter too. Waiting counts like work, so a process that hangs is seen to hang.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stopwatch", daemon=True)

    def __enter__(self) -> "Stopwatch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            over = self._ending.wait(_LOOK_SECONDS)
            share = _share_of_a_core()
            now = time.monotonic()
            self.seconds += (now - last) * share
            last = now
            if over:
                return


def _share_of_a_core() -> float:
    """How much of a core this thread gets now, in (0, 1]."""
    began, until = time.monotonic(), time.thread_time() + _SPIN_SECONDS
    while time.thread_time() < until:
        pass
    return min(1.0, _SPIN_SECONDS / (time.monotonic() - began))
