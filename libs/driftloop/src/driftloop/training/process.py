"""The child process that fits: started, listened to, and ended in time."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import msgspec

from driftloop.errors import TransientError
from driftloop.telemetry import get_logger
from driftloop.training.environment import child_variables
from driftloop.training.job import RESULT_FILE, Failure, Progress, Result

STDERR_FILE = "stderr.txt"
MAX_DETAIL_CHARACTERS = 4000

log = get_logger(__name__)


class Stop(Protocol):
    """Tells whether this process shall end; ``driftloop.process.Stop`` does."""

    def requested(self) -> bool: ...

    def wait(self, seconds: float) -> bool: ...


def train(folder: Path, *, threads: int, timeout_seconds: float, stop: Stop, on_progress: Callable[[Progress], None]) -> Result:
    """Run the job in ``folder`` and return its result; one that is there already is taken as it is.

    Raises TransientError when a stop came first: the process is killed and nothing is known about the run.
    """
    if not (folder / RESULT_FILE).exists():
        with (folder / STDERR_FILE).open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "driftloop.training.child", str(folder)],
                env=child_variables(threads),
                cwd=folder,
                stdin=subprocess.PIPE,  # its end closes with this process: the child then ends as well
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        listener = threading.Thread(target=_listen, args=(process.stdout, on_progress), daemon=True)
        listener.start()
        failure = _wait(process, timeout_seconds, stop)
        listener.join(5)
        if failure is not None:
            return Result(failure=failure)
        if not (folder / RESULT_FILE).exists():
            return Result(failure=_died(process.returncode, folder))
    return msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=Result)


def _wait(process: "subprocess.Popen[bytes]", timeout_seconds: float, stop: Stop) -> Failure | None:
    deadline = time.monotonic() + timeout_seconds
    try:
        while process.poll() is None:
            if stop.requested():
                raise TransientError("stopping: the request stays unanswered")
            if time.monotonic() > deadline:
                return Failure(reason=f"training took longer than {timeout_seconds:.0f} s; raise [training] timeout or train on less")
            stop.wait(0.05)
        return None
    finally:
        _kill_all(process)


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    """The process and whatever it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended, and nothing of its session is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _listen(stream: IO[bytes] | None, on_progress: Callable[[Progress], None]) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            try:
                on_progress(msgspec.json.decode(line, type=Progress))
            except msgspec.MsgspecError:
                log.debug("pipeline-printed", line=line[:200].decode(errors="replace").rstrip())


def _died(returncode: int, folder: Path) -> Failure:
    how = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with code {returncode}"
    hint = " (was it out of memory?)" if returncode == -signal.SIGKILL else ""
    detail = (folder / STDERR_FILE).read_bytes()[-MAX_DETAIL_CHARACTERS:].decode(errors="replace")
    return Failure(reason=f"the training process {how} without a result{hint}", detail=detail)
