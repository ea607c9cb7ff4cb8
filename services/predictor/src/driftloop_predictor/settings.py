"""Settings of the predictor, beside those that every service has."""

from pathlib import Path

import msgspec

from driftloop.contracts.services import PREDICTOR
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class PredictorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``DRIFTLOOP_PREDICTOR_<NAME>``."""

    common: StoreSettings
    idle_seconds: int  # IDLE_SECONDS: a partition without requests for so long gets a watermark; 0 = never
    http_max_body_bytes: int  # HTTP_MAX_BODY_BYTES
    http_buffer_rows: int  # HTTP_BUFFER_ROWS: scored by HTTP and waiting to be recorded; beyond it they are dropped and counted

    @property
    def last_good(self) -> Path:
        return self.common.state_dir / self.common.instance


def predictor_settings() -> PredictorSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(PREDICTOR.name)
    return PredictorSettings(
        common=store_settings(PREDICTOR),
        idle_seconds=env.integer("IDLE_SECONDS", 60),
        http_max_body_bytes=env.integer("HTTP_MAX_BODY_BYTES", 4 * 1024 * 1024, minimum=1024),
        http_buffer_rows=env.integer("HTTP_BUFFER_ROWS", 10_000, minimum=1),
    )
