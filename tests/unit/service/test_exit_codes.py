"""How a service process ends says what to do with it: leave it, start it again, or mend its settings."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.service.process import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_RESTART, Stop

START = "from driftloop.errors import *; from driftloop.service.process import run_service\n"


def run(main: str) -> "subprocess.CompletedProcess[str]":
    """A service whose ``main(stop)`` has this body."""
    return subprocess.run(
        [sys.executable, "-c", f"{START}def main(stop):\n    {main}\nrun_service('test', main)"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(main: str) -> "Iterator[subprocess.Popen[str]]":
    """The same, left running once it has said that it works."""
    code = f"{START}def main(stop):\n    print('at work', flush=True)\n    {main}\nrun_service('test', main)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("main", "code"),
    [
        ("pass", 0),
        ("stop.request(75)", EXIT_RESTART),
        ("raise ConfigurationError('bucket: there is none')", EXIT_CONFIGURATION),
        ("raise UserError('no such model')", 2),
        ("raise TransientError('the broker is away')", EXIT_FAILED),
        ("raise GapError('offsets 3 to 5 are missing')", EXIT_FAILED),
        ("raise Fenced('somebody else has it')", EXIT_FAILED),
    ],
)
def test_a_services_exit_code_says_how_it_ended(main: str, code: int) -> None:
    assert run(main).returncode == code


def test_a_persons_mistake_is_one_line_and_no_traceback() -> None:
    assert run("raise ConfigurationError('bucket: there is none')").stderr == "driftloop test: bucket: there is none\n"


def test_the_first_reason_to_stop_stands() -> None:
    stop = Stop()
    stop.request(EXIT_RESTART)
    stop.request()
    assert (stop.requested(), stop.code) == (True, EXIT_RESTART)


def test_a_service_that_is_asked_to_stop_and_drains_ends_well() -> None:
    with running("stop.wait(1000)") as process:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_service_that_does_not_drain_ends_by_itself() -> None:
    with running("import time; time.sleep(1000)") as process:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == EXIT_FAILED
        assert process.stderr is not None
        assert "not drained in time" in process.stderr.read()


def test_a_service_that_is_asked_twice_leaves_at_once() -> None:
    with running("stop.wait(1000); print('draining', flush=True); import time; time.sleep(1000)") as process:
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.readline() == "draining\n"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == EXIT_FAILED
        assert process.stderr is not None
        assert "not drained" not in process.stderr.read()
