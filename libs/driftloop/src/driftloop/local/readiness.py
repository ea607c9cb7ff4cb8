"""Waiting until the services of a running stack can work, from any process."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from driftloop.contracts.services import READY_PATH
from driftloop.local.addresses import StackAddresses, addresses_path, read_addresses
from driftloop.local.errors import LocalStackError
from driftloop.local.process import log_tail

READY_SECONDS = 300.0
_PERIOD_SECONDS = 0.1


def wait_for_services(
    addresses: StackAddresses,
    deadline_seconds: float = READY_SECONDS,
    failures: Callable[[], Mapping[str, str]] | None = None,
    project: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Return once each service answers 200 on its ready path; they can only when a project is registered.

    Fails at the deadline, or as soon as the supervisor gives up on one; names the service and shows the end of its log.
    With a `project`, those that work for another are left out: it is not their trouble that is waited for. `failures`: those of a
    stack in this process; without it they are read from stack.json. `say` is told whom it waits for.
    """
    given_up = failures or (lambda: _recorded_failures(addresses))
    deadline = time.monotonic() + deadline_seconds
    others = {name for name, other in addresses.projects.items() if project not in (None, other)}
    for name, url in [(name, url) for name, url in addresses.services.items() if name not in others]:
        said = False
        while not _is_ready(url):
            if not said:
                say(f"waiting for {name}")
                said = True
            for failure in [reason for failed, reason in given_up().items() if failed not in others]:
                raise LocalStackError(failure)
            if time.monotonic() > deadline:
                log_path = Path(addresses.log_files[name])
                raise LocalStackError(f"{name} was not ready after {deadline_seconds:.0f} s; the end of {log_path}:\n{log_tail(log_path)}")
            time.sleep(_PERIOD_SECONDS)


def _recorded_failures(addresses: StackAddresses) -> Mapping[str, str]:
    home = Path(addresses.home)
    if not addresses_path(home).exists():
        return {"stack": f"the stack ended while it was waited for; see {home / 'logs' / 'supervisor.log'}"}
    return read_addresses(home).failures


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}{READY_PATH}", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
