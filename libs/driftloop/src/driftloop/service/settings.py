"""What every service is told about its surroundings, read from its environment and checked at start."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from driftloop.adapters.kafka_security import PLAINTEXT, Cluster, KafkaSecurity, kafka_cluster
from driftloop.adapters.schema_registry import SchemaRegistrySettings, schema_registry_settings
from driftloop.contracts.names import is_name
from driftloop.contracts.services import SERVICES, Service, Setting
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, S3Settings, replication, s3_settings

_ALL = (
    Setting("KAFKA_BOOTSTRAP", None, "brokers, host:port[,host:port]"),
    Setting("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "PLAINTEXT, SSL or SASL_SSL; below, what it does not use is refused"),
    Setting("KAFKA_CA_FILE", "the system's", "PEM certificates of who may sign the brokers' certificates"),
    Setting("KAFKA_CERT_FILE", "none", "PEM certificate that clients show (mTLS); read anew for each connection, as every file here"),
    Setting("KAFKA_KEY_FILE", "none", "PEM key of that certificate"),
    Setting("KAFKA_KEY_PASSWORD_FILE", "none", "file with the password of an encrypted key"),
    Setting("KAFKA_SASL_MECHANISM", "required with SASL_SSL", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
    Setting("KAFKA_USERNAME", "required but for OAUTHBEARER", "user of PLAIN and SCRAM"),
    Setting("KAFKA_PASSWORD_FILE", "required but for OAUTHBEARER", "file with the user's password"),
    Setting("KAFKA_OAUTH_TOKEN_ENDPOINT", "none", "URL that gives tokens for client credentials (OAUTHBEARER)"),
    Setting("KAFKA_OAUTH_CLIENT_ID", "required with an endpoint", "the client's id"),
    Setting("KAFKA_OAUTH_CLIENT_SECRET_FILE", "required with an endpoint", "file with the client's secret"),
    Setting("KAFKA_OAUTH_SCOPE", "none", "scope that is asked for"),
    Setting("KAFKA_OAUTH_CA_FILE", "the system's", "PEM certificates of who may sign the endpoint's certificate"),
    Setting("KAFKA_TOKEN_PROVIDER", "none", "`package.module:function` that gives a token instead, such as for MSK IAM"),
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
    Setting("S3_CREDENTIALS", "files", "files, or environment: AWS_* variables, credentials file, web identity or role, as AWS finds them"),
    Setting("S3_ACCESS_KEY_FILE", "required with files", "file with the access key"),
    Setting("S3_SECRET_KEY_FILE", "required with files", "file with the secret key"),
    Setting("S3_CA_FILE", "the system's", "PEM certificates of who may sign the store's certificate"),
    Setting("S3_ENCRYPTION", "the bucket's", "AES256 or aws:kms: encryption that each object is stored with"),
    Setting("S3_KMS_KEY", "the account's", "key of aws:kms"),
)
_READS_APPLICATIONS = (
    Setting("SCHEMA_REGISTRY_URL", "none", "URL of the schema registry, for topics in Avro or Protobuf"),
    Setting("SCHEMA_REGISTRY_USERNAME", "none", "user of the registry (HTTP basic authentication)"),
    Setting("SCHEMA_REGISTRY_PASSWORD_FILE", "required with a user", "file with the user's password, or with an API key's secret"),
    Setting("SCHEMA_REGISTRY_CA_FILE", "the system's", "PEM certificates of who may sign the registry's certificate"),
)
_FOR_PROJECT = (Setting("PROJECT", "the one of before, else the only one registered", "project to work for"),)


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know about its surroundings."""

    service: Service
    instance: str
    kafka_bootstrap: str
    kafka_security: KafkaSecurity = PLAINTEXT
    http_host: str
    http_port: int
    http_names: frozenset[str] = frozenset()
    state_dir: Path
    project: str | None  # None: the one that it has worked for, else the only one registered
    replication: int | None = None  # of topics; None: the broker's default
    schema_registry: SchemaRegistrySettings | None = None

    @property
    def kafka(self) -> Cluster:
        """What every client of the broker is made from."""
        return Cluster(self.kafka_bootstrap, self.kafka_security)

    @property
    def port_setting(self) -> str:
        """The variable to change when the port is taken."""
        return f"{Environment(self.service.name).prefix}HTTP_PORT"


class StoreSettings(ServiceSettings, frozen=True, kw_only=True):
    """Those of a service that works with the store."""

    s3: S3Settings


def settings_of(service: Service) -> tuple[Setting, ...]:
    """Every variable that the service reads."""
    some = ((_WITH_STORE, service.rights), (_READS_APPLICATIONS, service.reads_applications), (_FOR_PROJECT, service.for_project))
    return (*_ALL, *(setting for settings, has in some if has for setting in settings), *service.settings)


def settings_table() -> list[tuple[Setting, tuple[str, ...]]]:
    """Every documented variable with the names of the services that read it."""
    readers: dict[Setting, list[str]] = {setting: [] for setting in (*_ALL, *_WITH_STORE, *_READS_APPLICATIONS, *_FOR_PROJECT)}
    for service in SERVICES.values():
        for setting in settings_of(service):
            readers.setdefault(setting, []).append(service.name)
    return [(setting, tuple(names)) for setting, names in readers.items()]


def service_settings(service: Service, variables: Mapping[str, str] | None = None) -> ServiceSettings:
    """Of ``variables``, or of this process. Raises ConfigurationError naming the first setting that is missing or wrong."""
    env = Environment(service.name, variables)
    kafka = kafka_cluster(env)
    return ServiceSettings(
        service=service,
        kafka_bootstrap=kafka.bootstrap,
        kafka_security=kafka.security,
        http_host=env.text("HTTP_HOST", "127.0.0.1"),
        http_port=env.integer("HTTP_PORT", minimum=1, maximum=65535),
        http_names=env.host_names("HTTP_NAMES"),
        state_dir=Path(env.text("STATE_DIR")),
        instance=_named(env, "INSTANCE", env.text("INSTANCE", f"{service.name}-0"), "it names folders and clients"),
        project=_project(env) if service.for_project else None,
        replication=replication(env),
        schema_registry=schema_registry_settings(env) if service.reads_applications else None,
    )


def store_settings(service: Service, variables: Mapping[str, str] | None = None) -> StoreSettings:
    """The same with those of the store. Raises ConfigurationError."""
    env = Environment(service.name, variables)
    s3 = s3_settings(env)
    return StoreSettings(**msgspec.structs.asdict(service_settings(service, variables)), s3=s3)


def _project(env: Environment) -> str | None:
    given = env.optional("PROJECT")
    return None if given is None else _named(env, "PROJECT", given, "leave it out to work for the only project that is registered")


def _named(env: Environment, setting: str, value: str, hint: str) -> str:
    if not is_name(value):
        raise ConfigurationError(f"{env.prefix}{setting}={value!r} must be lower-case letters, digits and hyphens; {hint}")
    return value
