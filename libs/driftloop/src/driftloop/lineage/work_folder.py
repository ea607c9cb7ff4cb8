"""A folder for one piece of work: gone when the work is over, and when its process was killed, at the next start of another."""

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SUFFIX = ".lock"


@contextmanager
def work_folder(root: Path) -> Iterator[Path]:
    """A new folder below ``root``, for as long as the block runs. What killed processes have left there is removed first."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root / uuid.uuid4().hex
    lock = folder.with_suffix(_SUFFIX)
    with (root / "lock").open("w") as gate, lock.open("w") as held:
        fcntl.flock(gate, fcntl.LOCK_EX)  # nobody sweeps between the making of the lock and its taking
        fcntl.flock(held, fcntl.LOCK_EX)
        _sweep(root, lock)
        folder.mkdir(mode=0o700)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _sweep(root: Path, mine: Path) -> None:
    live = {mine}
    for lock in root.glob(f"*{_SUFFIX}"):
        if lock == mine:
            continue
        with lock.open("r+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its process lives
                live.add(lock)
                continue
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    for folder in root.iterdir():
        if folder.is_dir() and folder.with_suffix(_SUFFIX) not in live:
            shutil.rmtree(folder, ignore_errors=True)
