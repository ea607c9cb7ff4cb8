"""Other instance counts for a stack that runs: asked for by one process, done by the one that supervises it."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from driftloop.contracts.services import SERVICES
from driftloop.local.addresses import StackAddresses, addresses_path, read_addresses
from driftloop.local.errors import LocalStackError
from driftloop.local.port_numbers import StackPorts, check_free
from driftloop.local.stack import check_counts

SCALE_SECONDS = 120.0  # instances that are taken away drain for up to seven each, one after another
_PERIOD_SECONDS = 0.1


def counts_of(addresses: StackAddresses) -> dict[str, int]:
    """How many instances of each service a stack runs."""
    names = [instance.rpartition("-")[0] for instance in addresses.services]
    return {service: names.count(service) for service in SERVICES}


def scale(home: Path, counts: Mapping[str, int], deadline_seconds: float = SCALE_SECONDS) -> StackAddresses:
    """Return once the stack that runs in this home has these instances; those that are new may not be ready yet.

    Fails before anything changes when the counts are none that a stack can run, or a port is taken.
    """
    addresses = read_addresses(home)
    check_counts(counts)
    if not any(counts_of(addresses).values()):
        raise LocalStackError("the stack that runs here has no services: end it with `driftloop down`, then start it with some")
    if counts.get("registry", 1) == 0:
        raise LocalStackError("registry=0: the services of a running stack need their registry")
    ports = StackPorts(addresses.port_base)
    check_free(_new_ports(ports, counts_of(addresses), counts))
    _request(home).write_text(json.dumps(dict(counts)))
    deadline = time.monotonic() + deadline_seconds
    while counts_of(addresses) != {**counts_of(addresses), **counts}:
        if time.monotonic() > deadline or not addresses_path(home).exists():
            raise LocalStackError(f"the stack did not change its instances; see {home / 'logs' / 'supervisor.log'}")
        time.sleep(_PERIOD_SECONDS)
        if addresses_path(home).exists():
            addresses = read_addresses(home)
    return addresses


def requested(home: Path) -> dict[str, int] | None:
    """The counts that somebody has asked for; each request is given once. None: nobody has."""
    path = _request(home)
    taken = path.with_suffix(".taken")
    try:
        os.replace(path, taken)
        counts: dict[str, int] = json.loads(taken.read_text())
    except FileNotFoundError:
        return None
    taken.unlink()
    check_counts(counts)
    return counts


def _request(home: Path) -> Path:
    return home / "scale.json"


def _new_ports(ports: StackPorts, now: Mapping[str, int], wanted: Mapping[str, int]) -> dict[int, str]:
    return {
        ports.service(service, number): f"{service}-{number}"
        for service, count in wanted.items()
        for number in range(now.get(service, 0), count)
    }
