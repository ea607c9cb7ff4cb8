"""A training process ahead of need changes when the imports happen, and nothing else."""

import os
import signal

import pytest
from tests.unit.training import jobs

from driftloop.service.process import Stop
from driftloop.training.job import Result
from driftloop.training.process import Spare, train

MODEL = "model.skops"


@pytest.fixture
def spare():
    made = Spare()
    yield made
    made.close()


def run(folder, spare: Spare | None, threads: int = 1) -> Result:
    jobs.prepare(folder, jobs.project(), jobs.rows(), jobs.window(2))
    return train(folder, threads=threads, timeout_seconds=120, stop=Stop(), on_progress=lambda _: None, spare=spare)


def test_a_job_done_by_the_spare_process_has_the_same_bytes(spare, tmp_path):
    spare.prepare(1)
    waiting = spare._child.process.pid
    assert run(tmp_path / "with", spare).failure is None
    assert spare._child is None, "it did one job and is gone"
    with pytest.raises(ProcessLookupError):
        os.kill(waiting, 0)
    run(tmp_path / "without", None)
    assert (tmp_path / "with" / MODEL).read_bytes() == (tmp_path / "without" / MODEL).read_bytes()


def test_a_spare_process_with_other_threads_is_not_taken(spare):
    spare.prepare(1)
    assert spare.take(2) is None
    spare.prepare(2)
    assert spare._child.threads == 2


def test_a_spare_process_that_has_died_is_not_missed(spare, tmp_path):
    spare.prepare(1)
    os.killpg(spare._child.process.pid, signal.SIGKILL)
    spare._child.process.wait()
    assert run(tmp_path / "job", spare).failure is None


def test_closing_ends_the_process_that_waits(spare):
    spare.prepare(1)
    process = spare._child.process
    spare.close()
    assert process.poll() is not None
