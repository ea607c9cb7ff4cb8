"""Settings of the monitor beyond those that every service has."""

from collections.abc import Mapping

import msgspec

from driftloop.settings import Environment, ServiceSettings, service_settings

ONLY_ONE = "*"  # no project's name


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``project``: which registered project; null when only one is."""

    common: ServiceSettings
    project: str | None
    session_timeout_seconds: int
    max_poll_interval_seconds: int


def monitor_settings(variables: Mapping[str, str] | None = None) -> MonitorSettings:
    """Raises ConfigurationError naming the setting."""
    env = Environment("monitor", variables)
    project = env.text("PROJECT", ONLY_ONE)
    return MonitorSettings(
        common=service_settings("monitor", variables),
        project=None if project == ONLY_ONE else project,
        session_timeout_seconds=env.integer("SESSION_TIMEOUT_SECONDS", 10, minimum=6, maximum=300),
        max_poll_interval_seconds=env.integer("MAX_POLL_INTERVAL_SECONDS", 120, minimum=10, maximum=3600),
    )
