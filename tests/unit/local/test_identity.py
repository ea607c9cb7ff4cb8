"""A pid alone names nobody: the next process that gets it is another one."""

import subprocess
import time

from tests.support.waiting import wait_until

from driftloop.local.identity import identity

SLEEP = ["sleep", "1000"]


def test_two_processes_of_one_command_are_told_apart_by_when_they_began() -> None:
    with subprocess.Popen(SLEEP) as first:
        time.sleep(0.05)  # five ticks of the kernel's clock
        with subprocess.Popen(SLEEP) as second:
            try:
                # the kernel shows a command line a moment after the program has begun
                wait_until(lambda: None not in (identity(first.pid), identity(second.pid)), "both to run their command")
                now = identity(first.pid), identity(second.pid)
                assert now[0] != now[1]
                assert (identity(first.pid), identity(second.pid)) == now
            finally:
                first.kill()
                second.kill()


def test_a_process_that_has_ended_is_nobody_even_before_its_parent_has_looked() -> None:
    ended = subprocess.Popen(["true"])
    wait_until(lambda: identity(ended.pid) is None, "the process to end")
    ended.wait()
    assert identity(ended.pid) is None
