"""A Docker engine for tests: required with DRIFTLOOP_REQUIRE_DOCKER=1, else its absence skips them with a reason."""

import os
import shutil
import subprocess
from functools import cache

import pytest


@cache
def missing_engine() -> str | None:
    """Why containers cannot run here; None when they can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            return f"`{' '.join(command)}` fails: {said[-1] if said else 'no output'}"
    return None


def need_docker() -> None:
    """Call it in a fixture, before anything of Docker."""
    if (why := missing_engine()) is None:
        return
    if os.environ.get("DRIFTLOOP_REQUIRE_DOCKER") == "1":
        pytest.fail(f"DRIFTLOOP_REQUIRE_DOCKER=1, but {why}", pytrace=False)
    pytest.skip(f"needs a Docker engine: {why}")
