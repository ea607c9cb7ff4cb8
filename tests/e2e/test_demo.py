"""The demo as a person runs it: one command, its exit code, its file, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_port_base
from tests.support.servers import REPOSITORY, shared_cache
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.local.port_numbers import SPAN, is_free

DRIFTLOOP = str(Path(sys.executable).parent / "driftloop")
FRACTION = "0.014"  # every window brings the 200 new labels that a retraining asks for
STOP_SECONDS = 10


class Demo:
    """A running `driftloop demo` in a home of its own."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home, self.port_base = home, free_port_base()
        command = [DRIFTLOOP, "demo", "--fraction", FRACTION, "--port-base", str(self.port_base), *options]
        self.output = home.parent / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env={**os.environ, "DRIFTLOOP_HOME": str(home), "DRIFTLOOP_CACHE": str(shared_cache())},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C of the test run is not for it
            )

    def said(self, words: str) -> bool:
        """Whether the output holds these words; fails at once when the demo has ended without them."""
        text = " ".join(self.output.read_text(encoding="utf-8").split())
        assert words in text or self.process.poll() is None, text
        return words in text

    def left_behind(self) -> list[str]:
        """Processes that still run from this home, and ports that are still taken."""
        running = [str(pid) for pid in _processes() if str(self.home) in _command_of(pid)]
        return running + [f"port {port}" for port in range(self.port_base, self.port_base + SPAN) if not is_free(port)]


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    made = Demo(tmp_path / "home", *getattr(request, "param", ()))
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.send_signal(signal.SIGINT)
            try:
                made.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                made.process.kill()  # its children end with it


@pytest.mark.timeout(1500)  # four trainings, each in a process of its own
@pytest.mark.parametrize("demo", [("--windows", "5")], indirect=True)
def test_a_part_of_the_year_closes_the_loop(demo: Demo) -> None:
    code = demo.process.wait(1400)
    text = demo.output.read_text(encoding="utf-8")
    assert code == 0, text
    found = json.loads((demo.home / "demo.json").read_bytes())

    assert {"seconds", "auc_frozen", "auc_loop", "windows", "versions", "conservation"} <= set(found)
    account = found["conservation"]
    assert account["ok"]
    assert account["sent"] == account["lake"] == 1_159 + 1_134
    assert account["quarantined"] == 0
    windows = found["windows"]
    assert len(windows) == 5
    assert all(window["retrain"] is not None for window in windows)
    assert all(window["unscored"] == (window["rows"] if window["number"] <= 2 else 0) for window in windows)
    assert windows[2]["scored_by"] == [1]
    assert len(found["versions"]) > 3
    promoted = [version for version in found["versions"] if version["promoted"]]
    assert all(version["moments"]["promoted"] for version in promoted)
    assert (demo.home / "demo.svg").read_text(encoding="utf-8").startswith("<svg")
    assert demo.left_behind() == []


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("demo", [("--windows", "6", "--realtime", "400000", "--seed", "7", "--keep", "--json")], indirect=True)
def test_a_replay_that_does_not_wait_loses_nothing_and_may_be_kept(demo: Demo) -> None:
    """Sixteen weeks in 24 seconds: the loop is behind all the time, and catches up at the end."""
    code = demo.process.wait(1400)
    text = demo.output.read_text(encoding="utf-8")
    assert code == 0, text
    found = json.loads((demo.home / "demo.json").read_bytes())
    assert (found["realtime"], found["seed"]) == (400_000, 7)
    account = found["conservation"]
    assert account["ok"]
    assert account["sent"] == account["lake"] == 1_448 + 1_398 != 1_402 + 1_366  # another seed, other flights
    assert len(found["windows"]) == 6
    assert all(window["retrain"] is not None for window in found["windows"])

    def driftloop(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "DRIFTLOOP_HOME": str(demo.home)}  # where the demo was started, and no other stack runs
        command = [DRIFTLOOP, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    status = driftloop("status", "--json")
    assert status.returncode == 0, status.stderr
    assert f"the one that a demo has kept up, in {demo.home / 'demo'}" in status.stderr
    performance = driftloop("performance", "flights-late", "--json")
    assert performance.returncode == 0, performance.stderr
    assert len({report["window"]["start"] for report in json.loads(performance.stdout)}) == 6
    assert driftloop("drift", "flights-late", "temp").returncode == 0
    assert driftloop("models", "list", "--json").returncode == 0
    assert driftloop("down").returncode == 0
    wait_until(lambda: demo.left_behind() == [], "the kept stack to end")


def test_ctrl_c_stops_everything_within_ten_seconds(demo: Demo) -> None:
    wait_until(lambda: demo.said("every service ready"), "the stack to be ready")
    assert demo.left_behind() != []
    with Stopwatch() as taken:
        demo.process.send_signal(signal.SIGINT)
        code = demo.process.wait(PATIENCE_SECONDS)

    assert taken.seconds < STOP_SECONDS
    assert code == 130
    assert demo.left_behind() == []


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command_of(pid: int) -> str:
    try:
        told = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # ended, or somebody else's
        return ""
    return told.decode(errors="replace")
