"""Other instances for a stack that runs: asked for by one process, done by the one that supervises it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from driftloop.contracts.services import REGISTRY
from driftloop.local.addresses import StackAddresses, addresses_path, read_addresses
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import Instance, check
from driftloop.local.kept_instances import as_json, from_json
from driftloop.local.port_numbers import StackPorts, check_free

SCALE_SECONDS = 120.0  # instances that are taken away drain for up to seven each, one after another
_PERIOD_SECONDS = 0.1


def change_instances(
    home: Path, change: Callable[[StackAddresses], Sequence[Instance]], deadline_seconds: float = SCALE_SECONDS
) -> StackAddresses:
    """Return once the stack that runs in this home has the instances that ``change`` makes of it, and has started those again that
    it had given up on; new ones may not be ready yet.

    One such call at a time. Fails before anything changes when a stack cannot run them, or a port is taken.
    """
    with _alone(home):
        addresses = read_addresses(home)
        wanted = list(change(addresses))
        given_up = addresses.failures.keys() & addresses.services.keys()
        if wanted == addresses.instances and not given_up:
            return addresses
        check(wanted)
        if not addresses.instances:
            raise LocalStackError("the stack that runs here has no services: end it with `driftloop down`, then start it with some")
        if not any(instance.service == REGISTRY.name for instance in wanted):
            raise LocalStackError("registry=0: the services of a running stack need their registry")
        present = {instance.name for instance in addresses.instances}
        check_free(StackPorts(addresses.port_base).of(instance for instance in wanted if instance.name not in present))
        return _done(home, wanted, {name: addresses.failures[name] for name in given_up}, deadline_seconds)


def requested(home: Path) -> list[Instance] | None:
    """The instances that somebody has asked for; each request is given once. None: nobody has. Raises ValueError."""
    path = _request(home)
    taken = path.with_suffix(".taken")
    try:
        os.replace(path, taken)
        text = taken.read_text()
    except FileNotFoundError:
        return None
    taken.unlink()
    return from_json(text)


def _done(home: Path, wanted: list[Instance], given_up: Mapping[str, str], deadline_seconds: float) -> StackAddresses:
    part = _request(home).with_suffix(".part")
    part.write_text(as_json(wanted))
    os.replace(part, _request(home))
    deadline = time.monotonic() + deadline_seconds
    while True:
        if time.monotonic() > deadline or not addresses_path(home).exists():
            raise LocalStackError(f"the stack did not change its instances; see {home / 'logs' / 'supervisor.log'}")
        time.sleep(_PERIOD_SECONDS)
        if not addresses_path(home).exists():
            continue
        addresses = read_addresses(home)
        if addresses.instances == wanted and not given_up.items() & addresses.failures.items():
            return addresses


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / "change.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _request(home: Path) -> Path:
    return home / "wanted-instances.json"
