"""Settings of a service, read from the environment under one prefix and checked at start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

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


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know about its surroundings."""

    service: str
    instance: str
    kafka_bootstrap: str
    s3: S3Settings
    http_host: str
    http_port: int
    state_dir: Path
    registry_url: str
    replication: int | None = None  # of topics; None: the broker's default


class Setting(NamedTuple):
    """A documented variable. ``services`` empty: all of them. ``default`` None: it must be given."""

    name: str
    default: str | None
    meaning: str
    services: tuple[str, ...] = ()


SETTINGS: tuple[Setting, ...] = (
    Setting("KAFKA_BOOTSTRAP", None, "brokers, host:port[,host:port]"),
    Setting("S3_ENDPOINT", None, "URL of the S3 server"),
    Setting("S3_BUCKET", "driftloop", "the bucket for everything"),
    Setting("S3_REGION", "us-east-1", "the bucket's region; a least-privilege key cannot ask for it"),
    Setting("S3_ACCESS_KEY_FILE", None, "file with the access key"),
    Setting("S3_SECRET_KEY_FILE", None, "file with the secret key"),
    Setting("HTTP_HOST", "127.0.0.1", "address that HTTP listens on"),
    Setting("HTTP_PORT", None, "port of /healthz, /readyz, /status, /metrics and of the service's own API"),
    Setting("STATE_DIR", None, "folder for what may be lost: caches, views, the last good model"),
    Setting("REGISTRY_URL", "http://127.0.0.1:29010", "the registry's HTTP API"),
    Setting("INSTANCE", "<service>-0", "name of this process in logs and status"),
    Setting("PROJECT", "the only one registered", "project to work for", ("predictor", "ingest", "monitor")),
    Setting("IDLE_SECONDS", "60", "wall time without requests after which a partition gets a watermark", ("predictor",)),
    Setting("HTTP_MAX_BODY_BYTES", "4194304", "largest body of POST /invocations", ("predictor",)),
    Setting("HTTP_BUFFER_ROWS", "10000", "rows scored by HTTP that may wait for recording; more are dropped and counted", ("predictor",)),
    Setting("FLUSH_ROWS", "10000", "rows in one commit at most", ("ingest",)),
    Setting("FLUSH_MIB", "64", "buffered MiB that force a commit", ("ingest",)),
    Setting("FLUSH_SECONDS", "10", "age of the oldest buffered row that forces a commit", ("ingest",)),
    Setting("COMPACT_SECONDS", "60", "time between two looks for small files to merge; 0: never", ("ingest",)),
    Setting("CLEAN_SECONDS", "3600", "time between two looks for files that nobody names any more; 0: never", ("ingest",)),
    Setting("CLEAN_GRACE_HOURS", "168", "how long such a file stays marked before it is deleted", ("ingest",)),
    Setting("REPLICATION", "the broker's", "replicas of new topics; a service refuses topics that have fewer"),
    Setting("SESSION_TIMEOUT_SECONDS", "10", "silence after which the group gives this member's partitions away", ("monitor",)),
    Setting(
        "MAX_POLL_INTERVAL_SECONDS", "120, trainer 300", "time without a poll after which the group gives them away", ("monitor", "trainer")
    ),
)


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


def service_settings(service: str, variables: Mapping[str, str] | None = None) -> ServiceSettings:
    """Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(service, variables)
    endpoint = env.text("S3_ENDPOINT")
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}S3_ENDPOINT={endpoint!r} must start with http:// or https://")
    bootstrap = env.text("KAFKA_BOOTSTRAP")
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(f"{env.prefix}KAFKA_BOOTSTRAP={bootstrap!r} must be host:port[,host:port]")
    return ServiceSettings(
        service=service,
        instance=env.text("INSTANCE", f"{service}-0"),
        kafka_bootstrap=bootstrap,
        s3=S3Settings(
            endpoint=endpoint.rstrip("/"),
            bucket=env.text("S3_BUCKET", "driftloop"),
            region=env.text("S3_REGION", "us-east-1"),
            access_key=env.secret("S3_ACCESS_KEY"),
            secret_key=env.secret("S3_SECRET_KEY"),
        ),
        http_host=env.text("HTTP_HOST", "127.0.0.1"),
        http_port=env.integer("HTTP_PORT", minimum=1, maximum=65535),
        state_dir=Path(env.text("STATE_DIR")),
        registry_url=env.text("REGISTRY_URL", "http://127.0.0.1:29010").rstrip("/"),
        replication=replication(env),
    )


def replication(env: Environment) -> int | None:
    """How many replicas topics shall have; None: as many as the broker makes. Raises ConfigurationError."""
    return env.optional_integer("REPLICATION", minimum=1, maximum=15)
