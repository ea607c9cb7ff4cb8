"""Settings of the monitor beyond those that every service has."""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.services import MONITOR
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What it is told beyond what every service is."""

    common: StoreSettings
    session_timeout_seconds: int
    max_poll_interval_seconds: int
    max_unsettled_seconds: int


def monitor_settings(variables: Mapping[str, str] | None = None) -> MonitorSettings:
    """Raises ConfigurationError naming the setting."""
    env = Environment(MONITOR.name, variables)
    return MonitorSettings(
        common=store_settings(MONITOR, variables),
        session_timeout_seconds=env.integer("SESSION_TIMEOUT_SECONDS", 10, minimum=6, maximum=300),
        max_poll_interval_seconds=env.integer("MAX_POLL_INTERVAL_SECONDS", 120, minimum=10, maximum=3600),
        max_unsettled_seconds=env.integer("MAX_UNSETTLED_SECONDS", 300, minimum=10),
    )
