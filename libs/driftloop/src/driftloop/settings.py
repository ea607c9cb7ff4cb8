"""Settings that the library needs to connect, and how settings are read from the environment under one prefix."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from driftloop.errors import ConfigurationError


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where objects live. ``endpoint`` is a URL; keys are read from files."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret_key: str

    @property
    def delta_options(self) -> dict[str, str]:
        """Storage options for delta-rs: commits are conditional puts."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ALLOW_HTTP": "true" if self.endpoint.startswith("http://") else "false",
            "aws_conditional_put": "etag",
        }

    def table_uri(self, stream: str, table: str) -> str:
        return f"s3://{self.bucket}/lake/{stream}/{table}"


_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class Environment:
    """The variables of one service, ``DRIFTLOOP_<SERVICE>_<NAME>``."""

    def __init__(self, service: str, variables: Mapping[str, str] | None = None) -> None:
        self.prefix = f"DRIFTLOOP_{service.upper()}_"
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(self.prefix + name, default)
        if value is None or value == "":
            raise ConfigurationError(f"{self.prefix}{name} is not set")
        return value

    def optional(self, name: str) -> str | None:
        """None when the variable is not set or empty."""
        return self._variables.get(self.prefix + name) or None

    def host_names(self, name: str) -> frozenset[str]:
        """Names separated by commas, in lower case; none when the variable is not set."""
        names = frozenset(found.strip().lower() for found in (self.optional(name) or "").split(",") if found.strip())
        wrong = next((found for found in sorted(names) if not _HOST_NAME.fullmatch(found)), None)
        if wrong is not None:
            raise ConfigurationError(f"{self.prefix}{name}: {wrong!r} is no host name; give names separated by commas, without ports")
        return names

    def integer(self, name: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**31) -> int:
        text = self.text(name, None if default is None else str(default))
        try:
            value = int(text)
        except ValueError:
            raise ConfigurationError(f"{self.prefix}{name}={text!r} is not a whole number") from None
        if not minimum <= value <= maximum:
            raise ConfigurationError(f"{self.prefix}{name}={value} is not between {minimum} and {maximum}")
        return value

    def optional_integer(self, name: str, *, minimum: int = 0, maximum: int = 2**31) -> int | None:
        """None when the variable is not set or empty."""
        return None if self.optional(name) is None else self.integer(name, minimum=minimum, maximum=maximum)

    def number(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            return float(text)
        except ValueError:
            raise ConfigurationError(f"{self.prefix}{name}={text!r} is not a number") from None

    def secret(self, name: str) -> str:
        """The contents of the file that ``<NAME>_FILE`` names."""
        path = self.text(f"{name}_FILE")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{self.prefix}{name}_FILE: cannot read {path}: {exc}") from exc
        if not value:
            raise ConfigurationError(f"{self.prefix}{name}_FILE: {path} is empty")
        return value


def replication(env: Environment) -> int | None:
    """How many replicas topics shall have; None: as many as the broker makes. Raises ConfigurationError."""
    return env.optional_integer("REPLICATION", minimum=1, maximum=15)
