"""How many instances of which service: `SERVICE=N` as a person types it."""

from collections.abc import Iterable

from driftloop.contracts.services import SERVICES
from driftloop.local.errors import LocalStackError


def counts_from(scale: Iterable[str]) -> dict[str, int]:
    """The counts by service. Raises LocalStackError for what is no count, or of no service."""
    counts = {}
    for entry in scale:
        name, separator, count = entry.partition("=")
        if not separator or not count.isdecimal():
            raise LocalStackError(f"--scale {entry}: write SERVICE=N, for example predictor=2")
        if name not in SERVICES:
            raise LocalStackError(f"there is no service {name!r}: choose from {', '.join(SERVICES)}")
        counts[name] = int(count)
    return counts
