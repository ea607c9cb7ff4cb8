"""One child process: its own log file and process group, and dead when its parent is."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from driftloop.local.errors import LocalStackError

POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if os.name == "posix" else None

# Linux sends the death signal when the spawning *thread* ends, so one thread that lives as long as the process does all spawning.
_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="driftloop-spawner")


@dataclass(frozen=True)
class ProcessSpec:
    """How to run one process, and how to know that it is ready."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    """Added to the parent's environment."""
    log_path: Path
    ready_url: str | None = None
    """Ready when this answers 200."""
    restart: bool = True
    ready: Callable[[], bool] | None = field(default=None, compare=False)
    """Ready when this returns true; for servers without an HTTP probe."""
    stop_seconds: float = 8.0
    """How long it may take to end after SIGTERM."""


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start the process, its output appended to its log."""
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    return _SPAWNER.submit(_spawn, spec, os.getpid()).result()


def stop(process: subprocess.Popen[bytes], deadline_seconds: float) -> None:
    """SIGTERM, then SIGKILL at the deadline; then also to what the process left behind in its group."""
    ask_to_stop(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(deadline_seconds)
    kill_group(process.pid)
    process.wait()


def ask_to_stop(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and wake a paused process so that it can act on it."""
    if process.poll() is None:
        process.terminate()
        process.send_signal(signal.SIGCONT)


def wait_ready(process: subprocess.Popen[bytes], spec: ProcessSpec, deadline_seconds: float) -> None:
    """Return once the process answers; an early end or the deadline is an error that shows its log's tail."""
    deadline = time.monotonic() + deadline_seconds
    while not is_ready(spec):
        if process.poll() is not None:
            raise LocalStackError(
                f"{spec.name} ended with code {process.returncode}; the end of {spec.log_path}:\n{log_tail(spec.log_path)}"
            )
        if time.monotonic() > deadline:
            raise LocalStackError(
                f"{spec.name} was not ready after {deadline_seconds:.0f} s; the end of {spec.log_path}:\n{log_tail(spec.log_path)}"
            )
        time.sleep(POLL_SECONDS)


def is_ready(spec: ProcessSpec) -> bool:
    """Whether the process answers its probe; one without a probe is ready at once."""
    if spec.ready is not None:
        return spec.ready()
    if spec.ready_url is None:
        return True
    try:
        return httpx.get(spec.ready_url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def kill_group(group: int) -> None:
    """Kill what a process left behind in its group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing left


def log_tail(path: Path, lines: int = 15, limit_bytes: int = 16_384) -> str:
    """The last lines of a log, empty if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - limit_bytes))
        text = handle.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:])


def _spawn(spec: ProcessSpec, parent: int) -> subprocess.Popen[bytes]:
    def die_with_parent() -> None:
        if _LIBC is not None and hasattr(_LIBC, "prctl"):
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the call
                os._exit(1)

    with spec.log_path.open("ab") as log:
        return subprocess.Popen(
            list(spec.argv),
            env={**os.environ, **spec.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal goes to the supervisor alone
            preexec_fn=die_with_parent,
        )
