"""Waiting in tests: with a deadline, and saying what did not come."""

import os
import time
from collections.abc import Callable

VARIABLE = "DRIFTLOOP_TEST_PATIENCE"  # seconds, for runs in which what is waited for is expected not to come

# For what comes within seconds on an idle machine, and within minutes on one that does ten other things. It bounds how long a
# failure takes and nothing else: a test that passes never waits longer than it must.
PATIENCE_SECONDS = float(os.environ.get(VARIABLE, 300.0))
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 1.0  # between two looks


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until the condition holds; a failure names what was waited for.

    A look that takes long, as one that reads a topic or the lake, is followed by as long a pause: what is waited for needs the
    machine more. ``seconds``: for what takes longer than usual; no wait ends sooner than that of all others.
    """
    seconds = max(seconds, PATIENCE_SECONDS)
    deadline = time.monotonic() + seconds
    while True:
        looked = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < deadline, f"after {seconds:.0f} s still waiting for {what}"
        time.sleep(min(max(now - looked, PAUSE_SECONDS), MAX_PAUSE_SECONDS))
