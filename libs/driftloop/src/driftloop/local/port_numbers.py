"""Which component gets which port, and whether all of them are free."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from driftloop.contracts.services import INSTANCES, SERVICES
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import Instance
from driftloop.local.s3 import S3Ports

DEFAULT_PORT_BASE = 29000
SPAN = max(service.port_offset for service in SERVICES.values()) + INSTANCES  # ports from the base on


@dataclass(frozen=True)
class StackPorts:
    """The ports of a stack, all counted from one base."""

    base: int

    def __post_init__(self) -> None:
        if not 1024 <= self.base <= 65_535 - SPAN:
            raise LocalStackError(f"port base {self.base} is out of range: choose --port-base between 1024 and {65_535 - SPAN}")

    @property
    def kafka(self) -> int:
        return self.base

    @property
    def kafka_controller(self) -> int:
        return self.base + 1

    @property
    def s3(self) -> S3Ports:
        return S3Ports(*range(self.base + 2, self.base + 10))

    def service(self, name: str, instance: int = 0) -> int:
        """HTTP port of one instance of a service."""
        return self.base + SERVICES[name].port_offset + instance

    def wanted(self, instances: Iterable[Instance]) -> dict[int, str]:
        """Every port that a stack with these instances opens, and what for."""
        wanted = {self.kafka: "kafka", self.kafka_controller: "kafka's controller", self.s3.s3: "the S3 server"}
        wanted |= {port: f"the S3 server's {role}" for role, port in vars(self.s3).items() if role != "s3"}
        return wanted | self.of(instances)

    def of(self, instances: Iterable[Instance]) -> dict[int, str]:
        """Those of the instances alone."""
        return {self.service(instance.service, instance.number): instance.name for instance in instances}


def check_free(wanted: Mapping[int, str]) -> None:
    """Fail if something listens on one of the ports; nothing is done to what holds it."""
    taken = {port: component for port, component in wanted.items() if not is_free(port)}
    if taken:
        named = ", ".join(f"{port} (for {component})" for port, component in sorted(taken.items()))
        raise LocalStackError(f"port taken: {named}; stop what uses it or choose another range with --port-base")


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # as servers do: a port whose old connections linger is free, one that is listened on is not
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port_base(start: int = 20_000, stop: int = 28_000) -> int:
    """A base whose whole span is free now; for tests and benchmarks."""
    import random

    for _ in range(200):
        base = random.randrange(start, stop, 100)
        if all(is_free(base + offset) for offset in range(SPAN)):
            return base
    raise LocalStackError(f"no {SPAN} free ports in a row between {start} and {stop}")
