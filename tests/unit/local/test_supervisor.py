"""The supervisor keeps alive what can live, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support import stub_service
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.process import ProcessSpec
from driftloop.local.supervisor import MAX_QUICK_DEATHS, Supervisor

STUB = [sys.executable, stub_service.__file__]


def service(folder: Path, name: str = "stub", stop_seconds: float = 8.0) -> ProcessSpec:
    port = free_port()
    ready = f"http://127.0.0.1:{port}/readyz"
    return ProcessSpec(name, [*STUB, str(port)], {}, folder / f"{name}.log", ready, stop_seconds=stop_seconds)


def ending(folder: Path, code: int, words: str) -> ProcessSpec:
    return ProcessSpec("stub", [*STUB, "exit", str(code), words], {}, folder / "stub.log", "http://127.0.0.1:9/readyz")


@contextmanager
def supervised(*specs: ProcessSpec) -> Iterator[Supervisor]:
    supervisor = Supervisor(specs)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    with supervised(service(tmp_path)) as supervisor:
        supervisor.wait_ready(PATIENCE_SECONDS)
        first = supervisor.pid("stub")

        supervisor.kill("stub", signal.SIGKILL)

        wait_until(lambda: supervisor.restarts("stub") == 1, "the restart")
        supervisor.wait_ready(PATIENCE_SECONDS)
        assert supervisor.pid("stub") != first


def test_a_child_killed_while_restarts_are_paused_comes_back_afterwards(tmp_path: Path) -> None:
    with supervised(service(tmp_path)) as supervisor:
        with supervisor.pause_restarts():
            supervisor.kill("stub")
            time.sleep(0.6)  # three times the first back-off
            assert supervisor.restarts("stub") == 0

        wait_until(lambda: supervisor.restarts("stub") == 1, "the restart")


def test_a_child_with_a_wrong_configuration_is_not_started_again(tmp_path: Path) -> None:
    with supervised(ending(tmp_path, 78, "KAFKA_BOOTSTRAP is not set")) as supervisor:
        with pytest.raises(LocalStackError, match="stub is not configured: KAFKA_BOOTSTRAP is not set"):
            supervisor.wait_ready(PATIENCE_SECONDS)

        assert supervisor.restarts("stub") == 0


def test_a_child_that_was_given_up_on_is_started_once_more_when_it_is_tried_again(tmp_path: Path) -> None:
    mended, lives = tmp_path / "mended", tmp_path / "lives"
    code = (
        "import sys, time; from pathlib import Path\n"
        f"Path({str(mended)!r}).exists() or sys.exit(78)\n"
        f"Path({str(lives)!r}).touch(); time.sleep(1000)"
    )
    with supervised(ProcessSpec("stub", [sys.executable, "-c", code], {}, tmp_path / "stub.log")) as supervisor:
        wait_until(lambda: "stub" in supervisor.failures, "the child to be given up on")
        mended.touch()
        supervisor.try_again()
        wait_until(lives.exists, "the child to live")
        assert not supervisor.failures
        assert supervisor.restarts("stub") == 1


def test_a_child_that_cannot_live_is_given_up_on_with_the_end_of_its_log(tmp_path: Path) -> None:
    with supervised(ending(tmp_path, 1, "out of luck")) as supervisor:
        with pytest.raises(LocalStackError, match=r"(?s)died 5 times in a row.*out of luck"):
            supervisor.wait_ready(PATIENCE_SECONDS)

        assert supervisor.restarts("stub") == MAX_QUICK_DEATHS - 1


def test_waiting_in_vain_names_the_child(tmp_path: Path) -> None:
    never = ProcessSpec("slow", [sys.executable, "-c", "import time; time.sleep(1000)"], {}, tmp_path / "slow.log", "http://127.0.0.1:9/")
    with supervised(never) as supervisor, pytest.raises(LocalStackError, match="slow was not ready after 0 s"):
        supervisor.wait_ready(0.3)


def test_a_paused_child_still_ends_in_order(tmp_path: Path) -> None:
    with supervised(service(tmp_path, stop_seconds=PATIENCE_SECONDS)) as supervisor:
        supervisor.wait_ready(PATIENCE_SECONDS)
        supervisor.kill("stub", signal.SIGSTOP)
        began = time.monotonic()

        supervisor.stop()

    assert time.monotonic() - began < PATIENCE_SECONDS  # when it would be killed


def test_a_child_that_ignores_sigterm_is_killed_with_its_own_children(tmp_path: Path) -> None:
    deaf = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grandchild = subprocess.Popen(['sleep', '1000'])\n"
        "print(grandchild.pid, flush=True); time.sleep(1000)\n"
    )
    log_path = tmp_path / "deaf.log"
    with supervised(ProcessSpec("deaf", [sys.executable, "-c", deaf], {}, log_path, stop_seconds=0.5)) as supervisor:
        wait_until(lambda: log_path.exists() and log_path.read_text().endswith("\n"), "the grandchild")
        pids = [supervisor.pid("deaf"), int(log_path.read_text())]

        supervisor.stop()

    wait_until(lambda: [identity(pid) for pid in pids] == [None, None], "both to be gone")


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from driftloop.local.process import ProcessSpec\n"
        "from driftloop.local.supervisor import Supervisor\n"
        "sleeper = [sys.executable, '-c', 'import time; time.sleep(1000)']\n"
        "supervisor = Supervisor([ProcessSpec('child', sleeper, {}, Path(sys.argv[1]))])\n"
        "supervisor.start(); print(supervisor.pid('child'), flush=True); time.sleep(1000)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "child.log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as output:
        child = int(output.readline())
    assert identity(child) is not None

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(PATIENCE_SECONDS)

    wait_until(lambda: identity(child) is None, "the child to die")


def test_process_that_is_added_later_is_kept_alive_and_one_that_is_removed_is_not(tmp_path: Path) -> None:
    with supervised(service(tmp_path)) as supervisor:
        supervisor.add(service(tmp_path, "late"))
        supervisor.wait_ready(PATIENCE_SECONDS)
        supervisor.kill("late", signal.SIGKILL)
        wait_until(lambda: supervisor.restarts("late") == 1, "the restart")
        pid, other = supervisor.pid("late"), supervisor.pid("stub")

        supervisor.remove("late")

        assert identity(pid) is None
        assert identity(other) is not None
        time.sleep(0.6)  # three times the first back-off
        assert supervisor.failures == {}
        with pytest.raises(KeyError):
            supervisor.pid("late")
