"""Faults on real processes: each is seen to have happened, or is told as one that did not."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from bench.chaos import storm as storming
from bench.chaos.faults import Fault
from bench.chaos.reckoning import faults_happened
from bench.chaos.storm import Happened, Storm, state
from bench.chaos.story import timeline
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def struck(pid: int, *faults: Fault) -> Storm:
    storm = Storm(lambda _name: pid, lambda _text: None)
    storm.run(faults, time.monotonic(), threading.Event())
    return storm


def test_a_paused_process_goes_on_after_its_pause(sleeper: subprocess.Popen[bytes]) -> None:
    seen = []
    storm = Storm(lambda _name: sleeper.pid, lambda _text: seen.append(state(sleeper.pid)))
    storm.run([Fault(0.0, "one", "pause", 0.2)], time.monotonic(), threading.Event())
    assert seen == ["T"]
    assert state(sleeper.pid) in ("S", "R")
    assert [(f.pid, f.effect, f.ok) for f in storm.happened] == [(sleeper.pid, "paused", True)]


def test_a_process_is_killed_also_while_it_is_paused(sleeper: subprocess.Popen[bytes]) -> None:
    storm = struck(sleeper.pid, Fault(0.0, "one", "pause", 1.0), Fault(0.1, "one", "kill"))
    assert sleeper.wait(PATIENCE_SECONDS) == -9
    assert [fault.effect for fault in storm.happened] == ["paused", "killed"]


def test_a_process_that_never_comes_is_told_as_not_hit(monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]) -> None:
    monkeypatch.setattr(storming, "WAIT_FOR_TARGET_SECONDS", 0.1)
    sleeper.kill()
    sleeper.wait()
    [fault] = struck(sleeper.pid, Fault(0.0, "one", "kill")).happened
    assert (fault.pid, fault.ok) == (None, False)
    check = faults_happened([Fault(0.0, "one", "kill")], [fault], ["one"], 10)
    assert any("had no effect: no such process" in problem for problem in check.problems)


def test_a_storm_that_is_stopped_leaves_nothing_paused(sleeper: subprocess.Popen[bytes]) -> None:
    stop = threading.Event()
    storm = Storm(lambda _name: sleeper.pid, lambda _text: stop.set())
    storm.run([Fault(0.0, "one", "pause", 60.0)], time.monotonic(), stop)
    assert state(sleeper.pid) in ("S", "R")


def test_faults_that_hit_everybody_while_rows_flowed_hold() -> None:
    drawn = [Fault(0.0, "one", "kill"), Fault(1.0, "one", "pause", 2.0)]
    happened = [Happened(0.0, 0.0, "one", "kill", 7, "killed"), Happened(1.0, 3.0, "one", "pause", 8, "paused")]
    assert faults_happened(drawn, happened, ["one"], 10).ok
    assert faults_happened(drawn, happened, ["one"], 0).problems == ("no row was sent while faults happened",)
    assert "one was never hit by a pause" in faults_happened(drawn, happened[:1], ["one"], 10).problems
    assert timeline(happened).count("<rect") == 2
