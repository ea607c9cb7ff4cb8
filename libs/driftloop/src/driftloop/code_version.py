"""Which code of driftloop runs: its version, the digest of its sources, and the commit where that is known."""

import hashlib
import os
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

SHOWN_DIGITS = 12
_COMMIT = ".git."


@cache
def code_version() -> str:
    """A version as packaging has it, ``0.1.0+src.<digest>.git.<commit>``: the digest is of the modules, by name and content.

    The commit is that of the repository whose files these are, or, in an image, the one it was built from
    (``DRIFTLOOP_COMMIT``); left out when neither says. ``.changed`` follows when the files are not those of the commit.
    """
    folder = Path(__file__).parent
    commit = os.environ.get("DRIFTLOOP_COMMIT", "")[:SHOWN_DIGITS] or _commit(folder)
    return f"{version('driftloop')}+src.{sources_digest(folder)[:SHOWN_DIGITS]}" + (f"{_COMMIT}{commit}" if commit else "")


def same_code(one: str, other: str) -> bool:
    """Whether two of these name the same sources: other commits may have left them as they were."""
    return without_commit(one) == without_commit(other)


def without_commit(code: str) -> str:
    return code.partition(_COMMIT)[0]


def sources_digest(folder: Path) -> str:
    """sha256, hex, over the lines ``<sha256>  <path>`` of all modules under ``folder``, sorted by path."""
    modules = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    lines = (f"{hashlib.sha256((folder / module).read_bytes()).hexdigest()}  {module}\n" for module in modules)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _commit(folder: Path) -> str:
    """Empty where the files are in no repository, or, as in a virtual environment inside one, not its files."""
    try:
        _git(folder, "ls-files", "--error-unmatch", "__init__.py")
        commit = _git(folder, "rev-parse", f"--short={SHOWN_DIGITS}", "HEAD")
        return commit + (".changed" if _git(folder, "status", "--porcelain", "--", "*.py") else "")
    except (subprocess.SubprocessError, OSError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
