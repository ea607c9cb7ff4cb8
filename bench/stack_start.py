"""Starting the whole stack, warm."""

import importlib.util
import time
from pathlib import Path
from typing import NamedTuple

from bench.clocks import cpu_seconds
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.client.registration import register_project
from driftloop.demo.example import example_folder
from driftloop.installation import installation_of
from driftloop.local.instances import ONE_OF_EACH
from driftloop.local.port_numbers import free_port_base
from driftloop.local.prepare import prepare_stack
from driftloop.local.readiness import wait_for_services
from driftloop.local.stack import LocalStack

READY_SECONDS = 120.0


class Start(NamedTuple):
    """Seconds until Kafka and S3 answer, until all is ready, and the CPU seconds of all processes by then."""

    infrastructure: float
    ready: float
    cpu: float


def measure(around: Surroundings) -> list[Figure]:
    """Once to make everything, then again in the same home: that is warm."""
    services = {name: count for name, count in ONE_OF_EACH.items() if importlib.util.find_spec(f"driftloop_{name}.__main__")}
    missing = sorted(ONE_OF_EACH.keys() - services.keys())
    home, port_base = around.folder / "start", free_port_base()
    around.say("starting a stack for the first time")
    cold = _start(home, port_base, services, register=True)
    around.say("starting it again")
    warm = _start(home, port_base, services, register=False)
    return [
        Figure(
            name="stack-start",
            what=f"Kafka, S3 and {', '.join(services)} with the flights project registered, from start to all ready, second start",
            value=warm.ready,
            unit="s",
            limit=Limit("Kafka and S3 alone, until topics and bucket are there", warm.infrastructure),
            aim=Aim(20.0, "at most"),
            note=f"{warm.cpu:.1f} CPU seconds of all processes; first start, with registering: {cold.ready:.1f} s" + _without(missing),
        )
    ]


def _start(home: Path, port_base: int, services: dict[str, int], *, register: bool) -> Start:
    began = time.monotonic()
    stack = LocalStack(home, port_base, services, prepare_stack)
    try:
        stack.start_infrastructure()
        infrastructure = time.monotonic() - began
        stack.start_services()
        if register:
            register_project(example_folder(), installation_of(stack.addresses()))
        wait_for_services(stack.addresses(), READY_SECONDS, stack.failures)
        ready = time.monotonic() - began
        pids = {name: pid for name, pid in stack.addresses().pids.items() if name != "supervisor"}
        return Start(infrastructure, ready, sum(cpu_seconds(pid) for pid in pids.values()))
    finally:
        stack.stop()


def _without(missing: list[str]) -> str:
    return f"; not there: {', '.join(missing)}" if missing else ""
