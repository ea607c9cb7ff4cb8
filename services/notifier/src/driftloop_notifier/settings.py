"""What the notifier needs to know beside what every service does."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from driftloop.contracts.services import NOTIFIER
from driftloop.errors import ConfigurationError
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import Environment


class NotifierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``console_url``: without a slash at its end. ``services``: as the setting has it. ``secrets_dir`` None: rules may name no secret."""

    common: StoreSettings
    secrets_dir: Path | None
    services: str
    console_url: str | None
    stall: timedelta
    retry: timedelta
    max_age: timedelta


def notifier_settings(variables: Mapping[str, str] | None = None) -> NotifierSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    common, env = store_settings(NOTIFIER, variables), Environment(NOTIFIER.name, variables)
    console, secrets = env.optional("CONSOLE_URL"), env.optional("SECRETS_DIR")
    if console is not None and not console.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}CONSOLE_URL={console!r} must start with http:// or https://")
    return NotifierSettings(
        common=common,
        secrets_dir=None if secrets is None else Path(secrets),
        services=env.optional("SERVICES") or "",
        console_url=None if console is None else console.rstrip("/"),
        stall=timedelta(seconds=env.integer("STALL_SECONDS", 300, minimum=1)),
        retry=timedelta(seconds=env.integer("RETRY_SECONDS", 3600, maximum=30 * 86400)),
        max_age=timedelta(hours=env.integer("MAX_AGE_HOURS", 24, maximum=10_000)),
    )


def secrets_setting() -> str:
    """The name of the variable that names the folder."""
    return f"{Environment(NOTIFIER.name).prefix}SECRETS_DIR"
