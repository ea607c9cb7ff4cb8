"""How many instances of which service: `SERVICE=N` as a person types it."""

from collections.abc import Iterable, Mapping

from driftloop.local.errors import LocalStackError
from driftloop.local.stack import ONE_OF_EACH, check_counts


def services_from(scale: Iterable[str], present: Mapping[str, int] = ONE_OF_EACH) -> dict[str, int]:
    """The default counts, or those of a running stack, with the given ones in their place."""
    services = dict(present)
    for entry in scale:
        name, separator, count = entry.partition("=")
        if not separator or not count.isdecimal():
            raise LocalStackError(f"--scale {entry}: write SERVICE=N, for example predictor=2")
        services[name] = int(count)
    check_counts(services)
    return services
