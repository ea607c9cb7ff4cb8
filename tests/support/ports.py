"""Ports for the stacks of tests that run beside each other."""

import os

from driftloop.local import port_numbers as ports


def free_port_base() -> int:
    """A free base from this test worker's own range: between looking and listening, another worker cannot take it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    start = 20_000 + 2_000 * worker
    return ports.free_port_base(start, start + 2_000)
