"""Ports for servers of tests that run beside each other, also beside another run of the tests on the same machine.

Between looking and listening nobody else takes a port: whoever gets one here holds a lock on it until its process ends. All lie
below the ports that the system gives to outgoing connections, which look at no lock.
"""

import fcntl
import os
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

from driftloop.local.port_numbers import SPAN, is_free

_SINGLE = range(10_000, 12_000)
_BASES = range(12_000, 28_900, SPAN)  # 29000 is where a stack of `driftloop up` is
_LOCKS = Path(tempfile.gettempdir()) / f"driftloop-test-ports-{os.getuid()}"

_held: list[int] = []  # open files, for as long as this process lives; its children do not get them


def free_port() -> int:
    """A port on which nothing listens, for one server."""
    return _claimed(_SINGLE, 1)


def free_port_base() -> int:
    """The first of as many ports in a row as a stack has, nothing listening on any of them."""
    return _claimed(_BASES, SPAN)


def _claimed(starts: Iterable[int], span: int) -> int:
    candidates = list(starts)
    random.shuffle(candidates)
    for start in candidates:
        if _claim(start) and all(map(is_free, range(start, start + span))):
            return start
    raise AssertionError(f"no {span} free ports in a row are left of {len(candidates)}; see {_LOCKS}")


def _claim(port: int) -> bool:
    _LOCKS.mkdir(exist_ok=True)
    handle = os.open(_LOCKS / str(port), os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    _held.append(handle)
    return True
