"""One stack per home: two on the same data would destroy it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from driftloop.local.errors import LocalStackError
from driftloop.local.paths import private_home


@contextmanager
def claim_home(home: Path) -> Iterator[None]:
    """Own the folder while the block runs; the claim ends with the process, however that ends."""
    with (private_home(home) / "stack.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalStackError(f"a stack already runs in {home}: end it with `driftloop down`") from None
        yield
