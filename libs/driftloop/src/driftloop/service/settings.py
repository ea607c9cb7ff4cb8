"""What every service is told about its surroundings, read from its environment and checked at start."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from driftloop.contracts.names import is_name
from driftloop.contracts.services import SERVICES, Service, Setting
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, S3Settings, replication

_ALL = (
    Setting("KAFKA_BOOTSTRAP", None, "brokers, host:port[,host:port]"),
    Setting("HTTP_HOST", "127.0.0.1", "address that HTTP listens on"),
    Setting("HTTP_PORT", None, "port of /healthz, /readyz, /status, /metrics and of the service's own API"),
    Setting("HTTP_NAMES", "none", "what HTTP callers may call it, separated by commas, beside localhost and any address in digits"),
    Setting("STATE_DIR", None, "folder for what may be lost: caches, views, the last good model, ids of handled events"),
    Setting("REPLICATION", "the broker's", "replicas of new topics; a service refuses topics that have fewer"),
    Setting("INSTANCE", "<service>-0", "name of this process in logs and status: lower-case letters, digits and hyphens"),
)
_WITH_STORE = (
    Setting("S3_ENDPOINT", None, "URL of the S3 server"),
    Setting("S3_BUCKET", "driftloop", "the bucket for everything"),
    Setting("S3_REGION", "us-east-1", "the bucket's region; a least-privilege key cannot ask for it"),
    Setting("S3_ACCESS_KEY_FILE", None, "file with the access key"),
    Setting("S3_SECRET_KEY_FILE", None, "file with the secret key"),
)
_FOR_PROJECT = (Setting("PROJECT", "the one of before, else the only one registered", "project to work for"),)


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know about its surroundings."""

    service: Service
    instance: str
    kafka_bootstrap: str
    http_host: str
    http_port: int
    http_names: frozenset[str] = frozenset()
    state_dir: Path
    project: str | None  # None: the one that it has worked for, else the only one registered
    replication: int | None = None  # of topics; None: the broker's default

    @property
    def port_setting(self) -> str:
        """The variable to change when the port is taken."""
        return f"{Environment(self.service.name).prefix}HTTP_PORT"


class StoreSettings(ServiceSettings, frozen=True, kw_only=True):
    """Those of a service that works with the store."""

    s3: S3Settings


def settings_of(service: Service) -> tuple[Setting, ...]:
    """Every variable that the service reads."""
    return (*_ALL, *(_WITH_STORE if service.rights else ()), *(_FOR_PROJECT if service.for_project else ()), *service.settings)


def settings_table() -> list[tuple[Setting, tuple[str, ...]]]:
    """Every documented variable with the names of the services that read it."""
    readers: dict[Setting, list[str]] = {setting: [] for setting in (*_ALL, *_WITH_STORE, *_FOR_PROJECT)}
    for service in SERVICES.values():
        for setting in settings_of(service):
            readers.setdefault(setting, []).append(service.name)
    return [(setting, tuple(names)) for setting, names in readers.items()]


def service_settings(service: Service, variables: Mapping[str, str] | None = None) -> ServiceSettings:
    """Of ``variables``, or of this process. Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(service.name, variables)
    return ServiceSettings(
        service=service,
        kafka_bootstrap=_bootstrap(env),
        http_host=env.text("HTTP_HOST", "127.0.0.1"),
        http_port=env.integer("HTTP_PORT", minimum=1, maximum=65535),
        http_names=env.host_names("HTTP_NAMES"),
        state_dir=Path(env.text("STATE_DIR")),
        instance=_named(env, "INSTANCE", env.text("INSTANCE", f"{service.name}-0"), "it names folders and clients"),
        project=_project(env) if service.for_project else None,
        replication=replication(env),
    )


def store_settings(service: Service, variables: Mapping[str, str] | None = None) -> StoreSettings:
    """The same with those of the store. Raises ConfigurationError."""
    env = Environment(service.name, variables)
    endpoint = env.text("S3_ENDPOINT")
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}S3_ENDPOINT={endpoint!r} must start with http:// or https://")
    s3 = S3Settings(
        endpoint=endpoint.rstrip("/"),
        bucket=env.text("S3_BUCKET", "driftloop"),
        region=env.text("S3_REGION", "us-east-1"),
        access_key=env.secret("S3_ACCESS_KEY"),
        secret_key=env.secret("S3_SECRET_KEY"),
    )
    return StoreSettings(**msgspec.structs.asdict(service_settings(service, variables)), s3=s3)


def _bootstrap(env: Environment) -> str:
    bootstrap = env.text("KAFKA_BOOTSTRAP")
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(f"{env.prefix}KAFKA_BOOTSTRAP={bootstrap!r} must be host:port[,host:port]")
    return bootstrap


def _project(env: Environment) -> str | None:
    given = env.optional("PROJECT")
    return None if given is None else _named(env, "PROJECT", given, "leave it out to work for the only project that is registered")


def _named(env: Environment, setting: str, value: str, hint: str) -> str:
    if not is_name(value):
        raise ConfigurationError(f"{env.prefix}{setting}={value!r} must be lower-case letters, digits and hyphens; {hint}")
    return value
