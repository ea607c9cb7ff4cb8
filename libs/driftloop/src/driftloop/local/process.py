"""One child process: its own log file and process group, and dead when its parent is."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

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


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start the process, its output appended to its log."""
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    return _SPAWNER.submit(_spawn, spec, os.getpid()).result()


def stop_all(processes: Sequence[subprocess.Popen[bytes]], deadline_seconds: float) -> None:
    """SIGTERM to each process, then SIGKILL to the group of what is left at the deadline."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)  # a paused process cannot act on SIGTERM
            process.terminate()
    deadline = time.monotonic() + deadline_seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        kill_group(process.pid)
        process.wait()


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
