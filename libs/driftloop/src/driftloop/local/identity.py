"""Telling one process from a later one that got the same pid."""

import hashlib
from pathlib import Path


def identity(pid: int) -> str | None:
    """Start time and command line of a living process; None if there is none.

    Two processes never share it, even if they share a pid one after the other.
    """
    folder = Path("/proc") / str(pid)
    try:
        stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name in parentheses may hold spaces; after it come state (field 3) and start time in clock ticks (field 22)
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX" or not command:
        return None  # ended, and its parent has not looked yet; the command line goes a moment before the state changes
    return f"{fields[19]}-{hashlib.sha256(command).hexdigest()[:16]}"
