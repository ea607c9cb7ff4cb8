"""`--cpu-report`: processor seconds of each test file, with all processes that its tests start, so that one sees where a run's time goes.

A shared server counts for the file whose test runs while it works. What outlives its parent (a stack in the background) and what runs
in containers is no descendant of pytest: the line "beside the tests" has it, with everything else that the machine did meanwhile.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

OPTION = "--cpu-report"
LINES = 30  # files, the dearest first
_TICKS = os.sysconf("SC_CLK_TCK")
_PROPERTY = "cpu_report"  # how figures of a worker come to the process that prints them


class Spent(NamedTuple):
    cpu: float
    wall: float


class CpuReport:
    def __init__(self) -> None:
        self._of_files: dict[str, list[Spent]] = defaultdict(list)
        self._began, self._machine = time.monotonic(), _machine_seconds()
        self._last = self._now()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """What was spent since the last test, as on collection, is no test's."""
        self._last = self._now()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            now = self._now()
            item.user_properties.append((_PROPERTY, (max(0.0, now.cpu - self._last.cpu), now.wall - self._last.wall)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._of_files[report.nodeid.split("::")[0]] += [Spent(*of) for name, of in report.user_properties if name == _PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files = {name: _sum(spent) for name, spent in self._of_files.items()}
        folders: dict[str, list[Spent]] = defaultdict(list)
        for name, spent in files.items():
            folders["/".join(name.split("/")[:2])].append(spent)
        write = terminalreporter.write_line
        terminalreporter.section("processor time")
        for name, spent in _dearest({name: _sum(of) for name, of in folders.items()}):
            write(_line(spent, f"{name}/"))
        write("")
        for name, spent in _dearest(files)[:LINES]:
            write(_line(spent, name))
        write("")
        total, beside = _sum(list(files.values())), _machine_seconds() - self._machine
        write(_line(Spent(total.cpu, time.monotonic() - self._began), "all tests; seconds on the clock of the whole run"))
        write(f"{beside - total.cpu:8.0f} s of CPU beside the tests: collection, containers, stacks in the background, others")

    def _now(self) -> Spent:
        return Spent(_tree_seconds(os.getpid()), time.monotonic())


def _sum(spent: list[Spent]) -> Spent:
    return Spent(sum(of.cpu for of in spent), sum(of.wall for of in spent))


def _dearest(spent: dict[str, Spent]) -> list[tuple[str, Spent]]:
    return sorted(spent.items(), key=lambda item: -item[1].cpu)


def _line(spent: Spent, what: str) -> str:
    return f"{spent.cpu:8.0f} s of CPU {spent.wall:7.0f} s  {what}"


def _tree_seconds(pid: int) -> float:
    """Of a process, those it has waited for, and all that descend from it; one that ends meanwhile is with its parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS + sum(_tree_seconds(child) for child in children)


def _machine_seconds() -> float:
    """User, nice, system and interrupts of all cores."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / _TICKS
