"""Keeps processes alive: restarts what dies, gives up on what cannot live, ends them all in reverse order."""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from driftloop.local.errors import LocalStackError
from driftloop.local.process import POLL_SECONDS, ProcessSpec, ask_to_stop, is_ready, kill_group, log_tail, spawn, stop

log = logging.getLogger(__name__)

CONFIGURATION_ERROR_EXIT_CODE = 78  # EX_CONFIG: the same start would fail again
QUICK_DEATH_SECONDS = 10.0  # a process that lived longer starts counting afresh
MAX_QUICK_DEATHS = 5
FIRST_BACKOFF_SECONDS = 0.2  # doubles with each quick death
STOP_SECONDS = 9.0  # leaves a second of the promised ten


@dataclass
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    quick_deaths: int = 0
    restart_at: float | None = None
    failure: str | None = None


class Supervisor:
    """Runs processes from `start` to `stop`; both may be called from any thread.

    A dead child is started again after a pause that grows. It is given up on after MAX_QUICK_DEATHS in a row, or at
    once when it says that its configuration is wrong; `failures` then tells why. If this process is killed, so are they.
    """

    def __init__(self, specs: Sequence[ProcessSpec]) -> None:
        self._specs = list(specs)
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._paused = False
        self._watcher = threading.Thread(target=self._watch, name="driftloop-supervisor", daemon=True)

    def start(self) -> None:
        """Start all processes; returns before they are ready."""
        with self._lock:
            for spec in self._specs:
                self._children[spec.name] = _Child(spec, spawn(spec), time.monotonic())
        self._watcher.start()

    def add(self, spec: ProcessSpec) -> None:
        """Start one more process and keep it alive like the others."""
        with self._lock:
            self._children[spec.name] = _Child(spec, spawn(spec), time.monotonic())

    def respecify(self, spec: ProcessSpec) -> None:
        """Start the process of this name so from its next start on; that is now if it is not ready."""
        with self._lock:
            child = self._children[spec.name]
            idle = child.process.poll() is None and not is_ready(child.spec)
            child.spec = spec
            if idle:
                ask_to_stop(child.process)

    def try_again(self) -> None:
        """Start the processes that were given up on: what they could not live with may have been mended."""
        with self._lock:
            for child in self._children.values():
                if child.failure is not None:
                    child.failure, child.quick_deaths, child.restart_at = None, 0, time.monotonic()

    def remove(self, name: str, deadline_seconds: float = STOP_SECONDS) -> None:
        """End one process for good: SIGTERM, SIGKILL at the deadline."""
        with self._lock:
            child = self._children.pop(name)
        ask_to_stop(child.process)
        stop(child.process, min(child.spec.stop_seconds, deadline_seconds))

    def wait_ready(self, deadline_seconds: float, names: Collection[str] | None = None) -> None:
        """Return once every process (or every named one) answers its probe; else fail, naming who did not and the end of its log."""
        deadline = time.monotonic() + deadline_seconds
        for child in [child for name, child in self._children.items() if names is None or name in names]:
            log.info("waiting for %s", child.spec.name)
            while not (self._runs(child) and is_ready(child.spec)):
                for failure in self.failures.values():  # of any child: the wait for all of them is in vain
                    raise LocalStackError(failure)
                if time.monotonic() > deadline:
                    raise LocalStackError(f"{child.spec.name} was not ready after {deadline_seconds:.0f} s{_excerpt(child.spec)}")
                time.sleep(POLL_SECONDS)

    def stop(self, deadline_seconds: float = STOP_SECONDS) -> None:
        """End all processes: SIGTERM in reverse order of their start, SIGKILL for what is left at its deadline."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        began = time.monotonic()
        children = list(reversed(self._children.values()))
        for child in children:
            ask_to_stop(child.process)
        for child in children:
            elapsed = time.monotonic() - began
            stop(child.process, max(0.0, min(child.spec.stop_seconds, deadline_seconds) - elapsed))

    def pid(self, name: str) -> int:
        """Process id of the present incarnation."""
        with self._lock:
            return self._children[name].process.pid

    def restarts(self, name: str) -> int:
        """How often the process has been started again."""
        with self._lock:
            return self._children[name].restarts

    def restart_counts(self) -> dict[str, int]:
        """Of all processes."""
        with self._lock:
            return {name: child.restarts for name, child in self._children.items()}

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal to the process, as a fault."""
        with self._lock:
            self._children[name].process.send_signal(signal_number)

    @contextmanager
    def pause_restarts(self) -> Iterator[None]:
        """What dies inside the block is started again after it."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    @property
    def failures(self) -> dict[str, str]:
        """The processes that were given up on, with the reason."""
        with self._lock:
            return {name: child.failure for name, child in self._children.items() if child.failure is not None}

    def _runs(self, child: _Child) -> bool:
        with self._lock:
            return child.process.poll() is None

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            with self._lock:
                for child in list(self._children.values()):
                    self._tend(child)

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.failure is not None or child.process.poll() is None:
            return
        if child.restart_at is None:
            self._mourn(child, now)
        elif now >= child.restart_at and not self._paused:
            child.process, child.started, child.restart_at = spawn(child.spec), now, None
            child.restarts += 1
            log.warning("%s restarted (restart %d)", child.spec.name, child.restarts)

    def _mourn(self, child: _Child, now: float) -> None:
        name, code = child.spec.name, child.process.returncode
        kill_group(child.process.pid)  # its own children must not outlive it
        child.quick_deaths = child.quick_deaths + 1 if now - child.started < QUICK_DEATH_SECONDS else 1
        if code == CONFIGURATION_ERROR_EXIT_CODE:
            child.failure = f"{name} is not configured: {log_tail(child.spec.log_path, lines=1)}"
        elif not child.spec.restart:
            child.failure = f"{name} ended with code {code}{_excerpt(child.spec)}"
        elif child.quick_deaths >= MAX_QUICK_DEATHS:
            child.failure = f"{name} died {child.quick_deaths} times in a row, last with code {code}{_excerpt(child.spec)}"
        if child.failure is not None:
            log.error("%s", child.failure)
            return
        child.restart_at = now + FIRST_BACKOFF_SECONDS * 2 ** (child.quick_deaths - 1)
        log.warning("%s ended with code %s", name, code)


def _excerpt(spec: ProcessSpec) -> str:
    return f"; the end of {spec.log_path}:\n{log_tail(spec.log_path)}"
