"""The demo's own home: made anew for each run, so that each starts from a clean state."""

import shutil
from pathlib import Path

from driftloop.errors import UserError
from driftloop.local.background import running_stack
from driftloop.local.claim import claim_home
from driftloop.local.errors import LocalStackError

MARKER = "made-by-driftloop-demo"
KEPT = frozenset({MARKER, "stack.lock"})  # the lock file is what the claim is on


def fresh_home(home: Path) -> Path:
    """Empty ``home`` of an earlier demo's state, or make it. Raises UserError when a stack runs there, or when the folder
    is not one that a demo made."""
    if running_stack(home) is not None:
        raise UserError(f"a stack runs in {home}, kept by an earlier demo: end it with `DRIFTLOOP_HOME={home} driftloop down`")
    if home.exists() and any(home.iterdir()) and not (home / MARKER).exists():
        raise UserError(f"{home} was not made by a demo, so the demo does not empty it: move it away, or set DRIFTLOOP_HOME")
    try:
        with claim_home(home):
            (home / MARKER).touch()
            for path in home.iterdir():
                if path.name not in KEPT:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except LocalStackError as exc:
        raise UserError(f"another demo is using {home}: wait for it, or set DRIFTLOOP_HOME") from exc
    return home
