"""Points at which a test can make a process die as by ``kill -9``: named in DRIFTLOOP_CRASH_POINT, as ``name`` or ``name:n``."""

import os
import signal

_hits: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Die here when the environment says so: at the first hit, or at the n-th."""
    wanted, _, n = os.environ.get("DRIFTLOOP_CRASH_POINT", "").partition(":")
    if wanted != name:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] == int(n or 1):
        os.kill(os.getpid(), signal.SIGKILL)
