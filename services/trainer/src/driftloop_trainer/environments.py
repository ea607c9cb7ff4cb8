"""The environment of training processes, asked of one: BLAS and OpenMP are not loaded in this process."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.errors import ConfigurationError
from driftloop.training.environment import child_variables, environment_digest

PROBE_SECONDS = 120


class Environments:
    """Digests by number of threads and trusted types of the project, each found out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[str, ...]], str] = {}

    def digest(self, threads: int, trusted: tuple[str, ...]) -> str:
        key = (threads, trusted)
        if key not in self._known:
            self._known[key] = environment_digest(_probe(threads, trusted))
        return self._known[key]


def _probe(threads: int, trusted: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "driftloop.training.environment", *trusted]
    try:
        done = subprocess.run(
            command, env=child_variables(threads), stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError) as exc:
        detail = getattr(exc, "stderr", b"") or b""
        raise ConfigurationError(f"no training process can be started: {exc} {detail.decode(errors='replace')[-500:]}") from exc
    told: dict[str, Any] = msgspec.json.decode(done.stdout, type=prepared(dict[str, Any]))
    return told
