"""A stack that outlives the command which started it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from driftloop.local.addresses import StackAddresses, addresses_path, read_addresses
from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.instances import Instance
from driftloop.local.kept_instances import as_json
from driftloop.local.paths import private_home
from driftloop.local.process import POLL_SECONDS

DOWN_SECONDS = 10.0
PROGRESS = "progress: "  # begins a line of the supervisor's before its answer


@dataclass(frozen=True)
class Supervising:
    """A supervisor process, told apart from a later process with its pid."""

    pid: int
    identity: str

    def alive(self) -> bool:
        return identity(self.pid) == self.identity

    def end(self) -> None:
        """SIGTERM, then SIGKILL after 10 s; its children end with it either way."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive():
                return
            os.kill(self.pid, signal_number)
            deadline = time.monotonic() + DOWN_SECONDS
            while self.alive() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)


def running_stack(home: Path) -> StackAddresses | None:
    """The stack that runs in this home; None if there is none or only the file of one that was killed."""
    if not addresses_path(home).exists():
        return None
    addresses = read_addresses(home)
    return addresses if supervisor_of(addresses).alive() else None


def supervisor_of(addresses: StackAddresses) -> Supervising:
    return Supervising(addresses.pids["supervisor"], addresses.supervisor_identity)


def start_in_background(
    home: Path, port_base: int, instances: Sequence[Instance], say: Callable[[str], None] = lambda _: None
) -> StackAddresses:
    """Start a detached supervisor and return once the stack is ready: without instances that is Kafka and S3 alone. What it cannot
    start, it also ends. ``say`` is told in words what is waited for."""
    log_path = private_home(home) / "logs" / "supervisor.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    told = ["--home", str(home), "--port-base", str(port_base), "--status-fd", str(writer), "--instances", as_json(instances)]
    pid = _spawn_detached(told, log_path)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            answer = _answer(pipe, say)
    except KeyboardInterrupt:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        raise
    if answer != "ready":
        os.waitpid(pid, 0)
        raise LocalStackError(answer.removeprefix("error: ") or f"the supervisor ended; see {log_path}")
    return read_addresses(home)


def _answer(pipe: IO[bytes], say: Callable[[str], None]) -> str:
    """What the supervisor says at last: everything after the lines about its progress, until it closes its end, also by dying."""
    while line := pipe.readline().decode():
        if not line.startswith(PROGRESS):
            return line + pipe.read().decode()
        say(line.removeprefix(PROGRESS).rstrip("\n"))
    return ""


def _spawn_detached(arguments: Sequence[str], log_path: Path) -> int:
    # not subprocess.Popen: that object complains when it is dropped while its process runs
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "driftloop.local", *arguments],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_path), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def end_in_background(home: Path) -> bool:
    """End the stack of this home within 10 s; False if none ran.

    Touches only the process that stack.json names, and only while that pid is still that process.
    """
    addresses = running_stack(home)
    if addresses is None:
        addresses_path(home).unlink(missing_ok=True)
        return False
    supervisor_of(addresses).end()
    addresses_path(home).unlink(missing_ok=True)
    return True
