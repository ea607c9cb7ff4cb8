"""The child process that fits: started, listened to, and ended in time."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import msgspec

from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.typed import prepared
from driftloop.errors import TransientError
from driftloop.telemetry import get_logger
from driftloop.training.environment import child_variables
from driftloop.training.job import RESULT_FILE, Result, RunFailure, RunProgress

MAX_DETAIL_CHARACTERS = 4000

log = get_logger(__name__)


class StopSignal(Protocol):
    """Tells whether this process shall end; ``driftloop.service.process.StopSignal`` does."""

    def requested(self) -> bool:
        """Whether it shall end by now."""

    def wait(self, seconds: float) -> bool:
        """Wait for the request, no longer than that; whether it has come."""


def train(
    folder: Path,
    *,
    threads: int,
    timeout_seconds: float,
    stop: StopSignal,
    on_progress: Callable[[RunProgress], None],
    spare: "Spare | None" = None,
) -> Result:
    """Run the job in ``folder`` and return its result; one that is there already is taken as it is.

    A new process, or the ``spare`` one. Raises TransientError when a stop came first: the process is killed and nothing is
    known about the run.
    """
    if not (folder / RESULT_FILE).exists():
        child = (spare.take(threads) if spare else None) or Child(threads)
        with child:
            child.begin(folder)
            listener = threading.Thread(target=_listen, args=(child.process.stdout, on_progress), daemon=True)
            listener.start()
            failure = _wait(child.process, timeout_seconds, stop)
            listener.join(5)
            if failure is not None:
                return Result(failure=failure)
            if not (folder / RESULT_FILE).exists():
                return Result(failure=_died(child))
    return msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=prepared(Result))


class Child:
    """A training process that does its imports and waits for its job. ``with`` ends it."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "driftloop.training.child"],
            env=child_variables(threads),
            stdin=subprocess.PIPE,  # its end closes with this process: the child then ends as well
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    def begin(self, folder: Path) -> None:
        """Name the job; a child that has died meanwhile is found out by its missing result."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(f"{folder.resolve()}\n".encode())
                self.process.stdin.flush()

    def last_words(self) -> str:
        """The end of its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-MAX_DETAIL_CHARACTERS:].decode(errors="replace")

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        _kill_all(self.process)
        self._errors.close()


class Spare:
    """One training process ahead of need: its imports, seconds on a busy machine, are over when a job comes."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def prepare(self, threads: int) -> None:
        """Have one with so many threads; does not wait for its imports."""
        if self._child is None or self._child.threads != threads or self._child.process.poll() is not None:
            self.close()
            self._child = Child(threads)

    def take(self, threads: int) -> Child | None:
        """The process, which is the caller's from now on; None when there is none that fits and lives."""
        child = self._child
        if child is None or child.threads != threads or child.process.poll() is not None:
            return None
        self._child = None
        return child

    def close(self) -> None:
        if self._child is not None:
            with self._child, self._child.process.stdout or contextlib.nullcontext():
                self._child = None


def _wait(process: "subprocess.Popen[bytes]", timeout_seconds: float, stop: StopSignal) -> RunFailure | None:
    deadline = time.monotonic() + timeout_seconds
    try:
        while process.poll() is None:
            if stop.requested():
                raise TransientError("stopping: the request stays unanswered")
            if time.monotonic() > deadline:
                return RunFailure(reason=f"training took longer than {timeout_seconds:.0f} s; raise [training] timeout or train on less")
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
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _listen(stream: IO[bytes] | None, on_progress: Callable[[RunProgress], None]) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            try:
                on_progress(msgspec.json.decode(line, type=prepared(RunProgress)))
            except UNDECODABLE:  # a reader that ends would leave the training behind a pipe that is full
                log.debug("pipeline-printed", line=line[:200].decode(errors="replace").rstrip())


def _died(child: Child) -> RunFailure:
    returncode = child.process.returncode
    how = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with code {returncode}"
    hint = " (was it out of memory?)" if returncode == -signal.SIGKILL else ""
    return RunFailure(reason=f"the training process {how} without a result{hint}", detail=child.last_words())
