"""The trainer's own settings, ``DRIFTLOOP_TRAINER_<NAME>``."""

from pathlib import Path

import msgspec

from driftloop.contracts.names import is_name
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, ServiceSettings, service_settings


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a trainer reads from its environment."""

    service: ServiceSettings
    max_poll_interval_seconds: int  # MAX_POLL_INTERVAL_SECONDS: a training may last longer, the loop polls meanwhile

    @property
    def work(self) -> Path:
        """Where runs keep their rows and files until they are stored; emptied at start."""
        return self.service.state_dir / self.service.instance / "runs"


def trainer_settings() -> TrainerSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env, service = Environment("trainer"), service_settings("trainer")
    if not is_name(service.instance):
        raise ConfigurationError(f"{env.prefix}INSTANCE={service.instance!r} must be lower-case letters, digits and hyphens")
    return TrainerSettings(
        service=service,
        max_poll_interval_seconds=env.integer("MAX_POLL_INTERVAL_SECONDS", 300, minimum=1),
    )
