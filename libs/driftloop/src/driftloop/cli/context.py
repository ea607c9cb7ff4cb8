"""The stack that a command talks to: the local one of this folder, or the one that the environment names."""

import os
from pathlib import Path
from typing import NamedTuple

from driftloop.errors import ConfigurationError, UserError
from driftloop.local.addresses import StackAddresses, read_addresses
from driftloop.local.paths import default_home
from driftloop.settings import Environment, S3Settings


class StackInfo(NamedTuple):
    """Addresses of a running stack. ``services`` maps an instance, such as predictor-0, to its URL."""

    home: Path
    kafka_bootstrap: str
    s3: S3Settings
    registry_url: str
    services: dict[str, str]


def current_stack() -> StackInfo:
    """Raises UserError when none is known."""
    if "DRIFTLOOP_CLI_KAFKA_BOOTSTRAP" in os.environ:
        return _from_environment()
    return stack_info(read_addresses(default_home()))


def stack_info(addresses: StackAddresses) -> StackInfo:
    """The same of a stack's own description."""
    access = addresses.s3
    return StackInfo(
        home=Path(addresses.home),
        kafka_bootstrap=addresses.kafka_bootstrap,
        s3=S3Settings(
            endpoint=access.endpoint,
            bucket=access.bucket,
            region=access.region,
            access_key=access.access_key,
            secret_key=access.secret_key,
        ),
        registry_url=addresses.registry_url,
        services=dict(addresses.services),
    )


def _from_environment() -> StackInfo:
    env = Environment("cli")
    services = dict(pair.partition("=")[::2] for pair in env.text("SERVICES", " ").split(",") if "=" in pair)
    try:
        return StackInfo(
            home=default_home(),
            kafka_bootstrap=env.text("KAFKA_BOOTSTRAP"),
            s3=S3Settings(
                endpoint=env.text("S3_ENDPOINT"),
                bucket=env.text("S3_BUCKET", "driftloop"),
                region=env.text("S3_REGION", "us-east-1"),
                access_key=env.secret("S3_ACCESS_KEY"),
                secret_key=env.secret("S3_SECRET_KEY"),
            ),
            registry_url=env.text("REGISTRY_URL"),
            services=services,
        )
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc
