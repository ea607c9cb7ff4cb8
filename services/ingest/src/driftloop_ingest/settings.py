"""Settings of ingest, beside those that all services have."""

import msgspec

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
