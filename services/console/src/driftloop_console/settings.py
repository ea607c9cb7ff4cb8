"""What the console needs to know beside what every service does."""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.services import CONSOLE
from driftloop.errors import ConfigurationError
from driftloop.installation import Installation
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    common: StoreSettings
    registry_url: str

    @property
    def installation(self) -> Installation:
        """As the library's client has it, for questions that read the store."""
        of = self.common
        return Installation(
            home=of.state_dir,
            kafka_bootstrap=of.kafka_bootstrap,
            kafka_security=of.kafka_security,
            s3=of.s3,
            registry_url=self.registry_url,
            services={},
        )


def console_settings(variables: Mapping[str, str] | None = None) -> ConsoleSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(CONSOLE.name, variables)
    url = env.text("REGISTRY_URL")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}REGISTRY_URL={url!r} must start with http:// or https://")
    return ConsoleSettings(common=store_settings(CONSOLE, variables), registry_url=url.rstrip("/"))
