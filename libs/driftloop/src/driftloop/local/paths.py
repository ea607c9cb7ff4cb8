"""Where a stack keeps its files."""

import os
from pathlib import Path


def default_home() -> Path:
    """Folder of one stack's state: DRIFTLOOP_HOME, else `.driftloop` in the current directory."""
    return Path(os.environ.get("DRIFTLOOP_HOME", ".driftloop")).absolute()


def private_home(home: Path) -> Path:
    """The folder of one stack, made if need be and closed to other users of the machine: topics, objects and logs are in it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    return home


def cache_dir(home: Path) -> Path:
    """Folder of what stacks share (jars, AOT cache): DRIFTLOOP_CACHE, else `<home>/cache`."""
    return Path(os.environ.get("DRIFTLOOP_CACHE", home / "cache")).absolute()


def installed_script(name: str) -> Path:
    """Path of a program that a wheel put beside the running interpreter, so that PATH does not matter."""
    import sysconfig

    return Path(sysconfig.get_path("scripts")) / name
