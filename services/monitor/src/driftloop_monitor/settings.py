"""Settings of the monitor beyond those that every service has."""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.services import MONITOR
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``replication``: of the topics that faust keeps its state in (1 locally, 3 in production)."""

    common: StoreSettings
    replication: int
    session_timeout_seconds: int
    max_poll_interval_seconds: int


def monitor_settings(variables: Mapping[str, str] | None = None) -> MonitorSettings:
    """Raises ConfigurationError naming the setting."""
    env = Environment(MONITOR.name, variables)
    return MonitorSettings(
        common=store_settings(MONITOR, variables),
        replication=env.integer("REPLICATION", 1, minimum=1, maximum=15),
        session_timeout_seconds=env.integer("SESSION_TIMEOUT_SECONDS", 10, minimum=6, maximum=300),
        max_poll_interval_seconds=env.integer("MAX_POLL_INTERVAL_SECONDS", 120, minimum=10, maximum=3600),
    )
