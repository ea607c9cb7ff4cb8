"""Which services there are to ask how they are, as a service is told in its setting SERVICES."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from driftloop.installation import instances
from driftloop.local.addresses import read_addresses


class Installed(NamedTuple):
    """URL by instance; what a local stack's supervisor says of its processes."""

    services: Mapping[str, str]
    restarts: Mapping[str, int] = MappingProxyType({})
    failures: Mapping[str, str] = MappingProxyType({})


def installed_by(told: str) -> Installed:
    """Of a list of services, or of a local stack's own description, which may have changed since. Raises UserError."""
    if told.endswith(".json"):
        addresses = read_addresses(Path(told).parent)
        return Installed(addresses.services, addresses.restarts, addresses.failures)
    return Installed(instances(told))
