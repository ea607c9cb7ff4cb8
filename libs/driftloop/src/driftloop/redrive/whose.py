"""Which process a run is, so that another one can tell whether it still is there."""

import os
import uuid
from pathlib import Path

from driftloop.stored import sha256_of

_BOOT, _SPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def this_machine() -> str:
    """Of this start of this machine, and of the space of process ids in it: containers have their own."""
    try:
        said = f"{_BOOT.read_text().strip()} {os.readlink(_SPACE)}"
    except OSError:  # no Linux
        said = f"{uuid.getnode():x}"
    return sha256_of(said.encode())[:16]


def this_process() -> str:
    return f"{os.getpid()}:{_began(os.getpid())}"


def has_ended(machine: str, process: str) -> bool:
    """False also when it cannot be told: of another machine, or of a process id that may have been given out again."""
    if machine != this_machine():
        return False
    pid, _, began = process.partition(":")
    if not pid.isascii() or not pid.isdigit() or len(pid) > 9 or int(pid) == 0:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is somebody else's
        return False
    now = _began(int(pid))
    return bool(now and began and now != began) or _is_zombie(int(pid))


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _began(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _is_zombie(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] == "Z"
