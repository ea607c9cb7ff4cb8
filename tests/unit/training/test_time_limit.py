"""A training that takes longer than the project allows ends as a failure in words, and with all its processes."""

from pathlib import Path

from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.training import jobs

from driftloop.local.identity import identity
from driftloop.service.process import Stop
from driftloop.training.process import train

TIMEOUT_SECONDS = 0.5
SLOW = """
import os, subprocess, sys, time
def build():
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    with open(os.environ["HOME"] + "/pids", "w") as file:
        file.write(f"{os.getpid()} {helper.pid}\\n")
    time.sleep(1000)
"""


def test_a_training_that_takes_too_long_is_a_failure_in_words_and_leaves_no_process(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    jobs.prepare(tmp_path / "job", jobs.project(SLOW), jobs.rows(), jobs.window(2))
    said = tmp_path / "pids"

    class Patient(Stop):
        """Lets the time run only once the user's code is at work, however long its imports take on a busy machine."""

        waited = 0.0

        def wait(self, seconds: float) -> bool:
            wait_until(lambda: said.exists() and said.read_text().endswith("\n"), "the user's code to begin")
            self.waited += seconds
            assert self.waited < 2 * TIMEOUT_SECONDS  # as told, not as the clock has it: that may be later, never earlier
            return super().wait(seconds)

    result = train(tmp_path / "job", threads=1, timeout_seconds=TIMEOUT_SECONDS, stop=Patient(), on_progress=lambda _: None)

    assert result.failure is not None
    assert "took longer than" in result.failure.reason
    pids = [int(pid) for pid in said.read_text().split()]
    wait_until(lambda: [identity(pid) for pid in pids] == [None, None], "the training and its helper to end", PATIENCE_SECONDS)
