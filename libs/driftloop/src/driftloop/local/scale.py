"""How many instances of which service: `SERVICE=N` as a person types it."""

from collections.abc import Iterable

from driftloop.local.errors import LocalStackError
from driftloop.local.stack import ONE_OF_EACH, check_counts


def services_from(scale: Iterable[str]) -> dict[str, int]:
    """The default counts with the given ones in their place."""
    services = dict(ONE_OF_EACH)
    for entry in scale:
        name, separator, count = entry.partition("=")
        if not separator or not count.isdecimal():
            raise LocalStackError(f"--scale {entry}: write SERVICE=N, for example predictor=2")
        services[name] = int(count)
    check_counts(services)
    return services
