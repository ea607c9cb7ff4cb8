"""Settings of ingest, beside those that all services have."""

from datetime import timedelta

import msgspec

from driftloop.contracts.services import INGEST
from driftloop.errors import ConfigurationError
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class FlushLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When a table's buffers are made durable: whichever comes first."""

    rows: int = 10_000
    bytes: int = 64 * 1024 * 1024  # decoded, so that memory stays bounded
    seconds: float = 10.0
    watermark_seconds: float = 0.1  # after a watermark, so that those of the other partitions can come along


def flush_limits(env: Environment) -> FlushLimits:
    """Raises ConfigurationError."""
    return FlushLimits(
        rows=env.integer("FLUSH_ROWS", 10_000, minimum=1, maximum=1_000_000),
        bytes=env.integer("FLUSH_MIB", 64, minimum=1, maximum=1024) * 1024 * 1024,
        seconds=env.number("FLUSH_SECONDS", 10.0),
    )


class UpkeepTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How often the lake is looked after, 0 seconds: never; how long a file that nobody names stays, and an entry of a table's log."""

    compact_seconds: float = 60.0
    clean_seconds: float = 3600.0
    grace: timedelta = timedelta(days=7)
    keep_log: timedelta = timedelta(days=7)


def upkeep_times(env: Environment) -> UpkeepTimes:
    """Raises ConfigurationError."""
    grace, keep_log = env.number("CLEAN_GRACE_HOURS", 168.0), env.number("LOG_KEEP_HOURS", 168.0)
    times = UpkeepTimes(compact_seconds=env.number("COMPACT_SECONDS", 60.0), clean_seconds=env.number("CLEAN_SECONDS", 3600.0))
    century = 24 * 36_525
    if not (0 <= grace <= century and 0 <= keep_log <= century) or times.compact_seconds < 0 or times.clean_seconds < 0:
        raise ConfigurationError(
            f"{env.prefix}COMPACT_SECONDS, CLEAN_SECONDS, CLEAN_GRACE_HOURS, LOG_KEEP_HOURS: not below 0, and at most a century"
        )
    return msgspec.structs.replace(times, grace=timedelta(hours=grace), keep_log=timedelta(hours=keep_log))


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest reads from its environment."""

    common: StoreSettings
    flush: FlushLimits
    upkeep: UpkeepTimes
    shadow_max_lag: timedelta


def ingest_settings() -> IngestSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(INGEST.name)
    lag = timedelta(seconds=env.integer("SHADOW_MAX_LAG_SECONDS", 3600, minimum=1, maximum=30 * 86_400))
    return IngestSettings(common=store_settings(INGEST), flush=flush_limits(env), upkeep=upkeep_times(env), shadow_max_lag=lag)
