"""Doing what the schedule says to real processes, and noting what it did to them."""

import contextlib
import heapq
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.chaos.faults import Fault, Kind
from driftloop.local.identity import identity

PERIOD_SECONDS = 0.05
EFFECT_SECONDS = 10.0  # for the kernel to show that a process is gone or stopped
WAIT_FOR_TARGET_SECONDS = 120.0  # one that is being started again is hit when it is there


class Happened(msgspec.Struct, frozen=True):
    """A fault as it was: ``at`` and ``until`` in seconds after the traffic began; ``pid`` is null when the target never came."""

    at: float
    until: float
    target: str
    kind: Kind
    pid: int | None
    effect: str

    @property
    def ok(self) -> bool:
        return self.pid is not None and self.effect in ("killed", "paused")


class Storm:
    """``pid_of`` gives the pid of a target's present incarnation."""

    def __init__(self, pid_of: Callable[[str], int], say: Callable[[str], None]) -> None:
        self._pid_of, self._say = pid_of, say
        self._paused: list[tuple[float, str, int, str]] = []  # heap: until, target, pid, identity
        self.happened: list[Happened] = []

    def run(self, faults: Sequence[Fault], began: float, stop: threading.Event) -> None:
        """Return when the last fault is over, or as soon as ``stop`` is set. No process is left paused."""
        due = [(fault.at, fault) for fault in faults]
        heapq.heapify(due)
        try:
            while (due or self._paused) and not stop.wait(PERIOD_SECONDS):
                now = time.monotonic() - began
                while self._paused and self._paused[0][0] <= now:
                    self._go_on()
                if due and due[0][0] <= now:
                    _, fault = heapq.heappop(due)
                    if not self._strike(fault, began):
                        heapq.heappush(due, (now + 0.3, fault))
        finally:
            while self._paused:
                self._go_on()

    def _strike(self, fault: Fault, began: float) -> bool:
        """False when the target is not there now, and may come."""
        now = time.monotonic() - began
        pid = self._pid_of(fault.target)
        who = identity(pid)
        if who is None or (fault.kind == "pause" and state(pid) == "T"):
            if now - fault.at < WAIT_FOR_TARGET_SECONDS:
                return False
            self._note(Happened(now, now, fault.target, fault.kind, None, "no such process"))
            return True
        if fault.kind == "kill":
            os.kill(pid, signal.SIGKILL)
            gone = _within(EFFECT_SECONDS, lambda: identity(pid) != who)
            self._note(Happened(now, now, fault.target, "kill", pid, "killed" if gone else "lived on"))
            return True
        os.kill(pid, signal.SIGSTOP)
        stopped = _within(EFFECT_SECONDS, lambda: state(pid) == "T")
        heapq.heappush(self._paused, (now + fault.seconds, fault.target, pid, who))
        self._note(Happened(now, now + fault.seconds, fault.target, "pause", pid, "paused" if stopped else "ran on"))
        return True

    def _note(self, fault: Happened) -> None:
        self.happened.append(fault)
        length = f" for {fault.until - fault.at:.1f} s" if fault.kind == "pause" else ""
        self._say(f"fault {len(self.happened)}: {fault.target} (pid {fault.pid}) {fault.effect}{length}")

    def _go_on(self) -> None:
        _, _, pid, who = heapq.heappop(self._paused)
        if identity(pid) == who:  # else it was killed meanwhile
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def state(pid: int) -> str | None:
    """The letter that the kernel has for the state of a process, ``T`` for stopped; None if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
