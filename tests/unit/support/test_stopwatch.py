"""A stopwatch whose seconds a busy machine does not make longer."""

import os
import subprocess
import sys
import time

from tests.support.stopwatch import Stopwatch

SPINNING = "print('on', flush=True)\nwhile True: pass"


def test_its_seconds_are_never_more_than_the_clocks_and_waiting_counts() -> None:
    began = time.monotonic()
    with Stopwatch() as taken:
        time.sleep(0.5)
    assert 0 < taken.seconds <= time.monotonic() - began


def test_seconds_on_a_busy_machine_count_less() -> None:
    """Two processes a core that spin: one more thread gets a third of a core."""
    count = 2 * len(os.sched_getaffinity(0))
    spinning = [subprocess.Popen([sys.executable, "-c", SPINNING], stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.monotonic()
        with Stopwatch() as taken:
            time.sleep(1)
        wall = time.monotonic() - began
    finally:
        for process in spinning:
            process.kill()
            process.communicate()
    assert taken.seconds < 0.7 * wall
