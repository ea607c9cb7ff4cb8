"""What the console needs to know beside what every service does."""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.services import CONSOLE
from driftloop.errors import ConfigurationError
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``registry_url``: without a slash at its end. ``services``: as the setting has it."""

    common: StoreSettings
    registry_url: str
    services: str = ""


def console_settings(variables: Mapping[str, str] | None = None) -> ConsoleSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    common, env = store_settings(CONSOLE, variables), Environment(CONSOLE.name, variables)
    url = env.text("REGISTRY_URL")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}REGISTRY_URL={url!r} must start with http:// or https://")
    return ConsoleSettings(common=common, registry_url=url.rstrip("/"), services=env.optional("SERVICES") or "")
