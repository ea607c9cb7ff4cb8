"""Settings of the predictor, beside those that every service has."""

from pathlib import Path

import msgspec

from driftloop.contracts.names import is_name
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, ServiceSettings, service_settings


class PredictorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``DRIFTLOOP_PREDICTOR_<NAME>``."""

    service: ServiceSettings
    project: str | None  # PROJECT: which to serve; needed only when several are registered
    idle_seconds: int  # IDLE_SECONDS: a partition without requests for so long gets a watermark; 0 = never
    http_max_body_bytes: int  # HTTP_MAX_BODY_BYTES
    http_buffer_rows: int  # HTTP_BUFFER_ROWS: scored by HTTP and waiting to be recorded; beyond it they are dropped and counted

    @property
    def last_good(self) -> Path:
        return self.service.state_dir / self.service.instance


def predictor_settings() -> PredictorSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env, service = Environment("predictor"), service_settings("predictor")
    if not is_name(service.instance):
        raise ConfigurationError(f"{env.prefix}INSTANCE={service.instance!r} must be lower-case letters, digits and hyphens")
    project = env.text("PROJECT", "-")
    return PredictorSettings(
        service=service,
        project=None if project == "-" else project,
        idle_seconds=env.integer("IDLE_SECONDS", 60),
        http_max_body_bytes=env.integer("HTTP_MAX_BODY_BYTES", 4 * 1024 * 1024, minimum=1024),
        http_buffer_rows=env.integer("HTTP_BUFFER_ROWS", 10_000, minimum=1),
    )
