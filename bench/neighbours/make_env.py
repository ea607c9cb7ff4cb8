"""`python -m bench.neighbours.make_env [NAME …]`: make the neighbours' environments, each from requirements with hashes.

They lie in the cache folder (`DRIFTLOOP_CACHE`), named by their requirements and this Python: changed ones make another environment. The
requirements were resolved for every platform: `uv pip compile requirements-NAME.in --universal --generate-hashes --no-header
--no-annotate --python-version 3.11 -o requirements-NAME.txt`, for nannyml with `--no-emit-package nvidia-nccl-cu12`, which needs an
accelerator.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from driftloop.local.paths import cache_dir, default_home

FOLDER = Path(__file__).parent
MADE = ".made"  # the last file of an environment
# name: what it is called in a table
NEIGHBOURS = {"evidently": "Evidently: dataset drift", "nannyml": "NannyML: estimated performance", "river": "river: ADWIN on the errors"}
TIMEOUT = 1_800.0  # seconds: half a gigabyte of packages


class NotMadeError(Exception):
    """Why there is no such environment, in a line."""


def environment(name: str, cache: Path, requirements: Path | None = None, timeout: float = TIMEOUT) -> Path:
    """The Python of a neighbour's environment, which is made if need be. Raises NotMadeError."""
    wanted = requirements or FOLDER / f"requirements-{name}.txt"
    folder = folder_of(name, cache, wanted)
    python = folder / "bin" / "python"
    if (folder / MADE).exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv")  # installs the same files in a fifth of the time
    installer = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "--disable-pip-version-check", "install"]
    command = [*installer, "--quiet", "--no-deps", "--require-hashes", "-r", wanted]
    try:
        venv.create(folder, with_pip=uv is None)
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout)
    except subprocess.CalledProcessError as exc:
        raise NotMadeError(f"its packages could not be installed: {last_line(exc.stderr or exc.stdout or '')}") from exc
    except subprocess.TimeoutExpired as exc:
        raise NotMadeError(f"its packages were not installed within {timeout:.0f} s") from exc
    except OSError as exc:
        raise NotMadeError(f"no environment could be made: {exc}") from exc
    (folder / MADE).touch()
    return python


def folder_of(name: str, cache: Path, requirements: Path) -> Path:
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache / "neighbours" / f"{name}-{digest}"


def last_line(text: str | bytes) -> str:
    """The last line that says something: where programs write what was wrong."""
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    return next((line.strip() for line in reversed(whole.splitlines()) if line.strip()), "no reason was given")


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when one could not be made."""
    parser = argparse.ArgumentParser(prog="python -m bench.neighbours.make_env", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NEIGHBOURS)}; default: all")
    names = parser.parse_args(arguments).names or list(NEIGHBOURS)
    if unknown := [name for name in names if name not in NEIGHBOURS]:
        parser.error(f"no neighbour {', '.join(unknown)}: choose from {', '.join(NEIGHBOURS)}")
    failed = False
    for name in names:
        try:
            sys.stdout.write(f"{name}: {environment(name, cache_dir(default_home()))}\n")
        except NotMadeError as exc:
            failed = True
            sys.stderr.write(f"{name}: not made: {exc}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
