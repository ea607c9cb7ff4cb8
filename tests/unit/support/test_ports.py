"""Tests that run beside each other, in this run or another, never get one port."""

import subprocess
import sys
from contextlib import ExitStack

from tests.support.ports import free_port, free_port_base

from driftloop.local.port_numbers import DEFAULT_PORT_BASE, SPAN, is_free

CLAIM = """
import sys
from tests.support.ports import free_port, free_port_base
print([free_port() for _ in range(20)], [free_port_base() for _ in range(5)], sep="\\n", flush=True)
sys.stdin.read()
"""


def numbers(line: str) -> list[int]:
    return [int(number) for number in line.strip("[]\n").split(",")]


def test_processes_at_work_at_the_same_time_get_different_ports() -> None:
    single, bases = [free_port() for _ in range(20)], [free_port_base() for _ in range(5)]
    with ExitStack() as running:
        processes = [
            running.enter_context(subprocess.Popen([sys.executable, "-c", CLAIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        for process in processes:
            assert process.stdout is not None
            single += numbers(process.stdout.readline())
            bases += numbers(process.stdout.readline())
        for process in processes:
            process.communicate()
    assert len(set(single)) == len(single) == 80
    assert len(set(bases)) == len(bases) == 20
    assert all(abs(a - b) >= SPAN for a in bases for b in bases if a != b)
    assert not set(single) & {base + offset for base in bases for offset in range(SPAN)}


def test_a_port_is_below_those_that_the_system_gives_away_and_not_a_stacks_own() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        lowest = int(file.read().split()[0])
    base = free_port_base()
    assert free_port() < lowest
    assert base + SPAN <= min(lowest, DEFAULT_PORT_BASE)
    assert all(is_free(base + offset) for offset in range(SPAN))
