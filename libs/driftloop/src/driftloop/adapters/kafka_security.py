"""How a Kafka cluster is reached: addresses, and one security block that every client gets. Secrets are named by file."""

import re
from typing import Literal, get_args

import msgspec

from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, SecretFile

Protocol = Literal["PLAINTEXT", "SSL", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_PROVIDER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_TLS = ("CA_FILE", "CERT_FILE", "KEY_FILE", "KEY_PASSWORD_FILE")
_PASSWORD = ("USERNAME", "PASSWORD_FILE")
_CLIENT_CREDENTIALS = ("OAUTH_TOKEN_ENDPOINT", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET_FILE", "OAUTH_SCOPE", "OAUTH_CA_FILE")
_SASL = ("SASL_MECHANISM", *_PASSWORD, *_CLIENT_CREDENTIALS, "TOKEN_PROVIDER")


class ClientCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint is asked with (RFC 6749, section 4.4)."""

    endpoint: str
    client_id: str
    client_secret: SecretFile
    scope: str | None = None
    ca_file: str | None = None  # of the endpoint; None: the system's


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True):
    """How clients encrypt, whom they trust and who they say that they are. ``prefix``: of the variables it came from, for sentences."""

    protocol: Protocol = "PLAINTEXT"
    prefix: str = "DRIFTLOOP_CLI_KAFKA_"
    ca_file: str | None = None  # None: the system's
    cert_file: str | None = None
    key_file: str | None = None
    key_password: SecretFile | None = None
    mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretFile | None = None
    client_credentials: ClientCredentials | None = None
    token_provider: str | None = None  # package.module:function

    @property
    def encrypted(self) -> bool:
        return self.protocol != "PLAINTEXT"


PLAINTEXT = KafkaSecurity()


class Cluster(msgspec.Struct, frozen=True):
    """One Kafka cluster: what every client is made from. ``bootstrap``: host:port[,host:port]."""

    bootstrap: str
    security: KafkaSecurity = PLAINTEXT


def cluster_of(where: "str | Cluster") -> Cluster:
    """Addresses alone are a cluster without security, such as a local stack's."""
    return Cluster(where) if isinstance(where, str) else where


def kafka_cluster(env: Environment) -> Cluster:
    """Of ``KAFKA_BOOTSTRAP`` and what stands beside it. Raises ConfigurationError naming the first setting that is wrong."""
    bootstrap = env.text("KAFKA_BOOTSTRAP")
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(f"{env.prefix}KAFKA_BOOTSTRAP={bootstrap!r} must be host:port[,host:port]")
    return Cluster(bootstrap, kafka_security(env))


def kafka_security(env: Environment) -> KafkaSecurity:
    """Raises ConfigurationError naming the first setting that is missing, wrong, or would not be used."""
    prefix = f"{env.prefix}KAFKA_"
    protocol = env.text("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    if protocol not in get_args(Protocol):
        raise ConfigurationError(f"{prefix}SECURITY_PROTOCOL={protocol!r} must be one of {', '.join(get_args(Protocol))}")
    security = KafkaSecurity(protocol=protocol, prefix=prefix)  # type: ignore[arg-type]
    if protocol == "PLAINTEXT":
        _refuse_unused(env, (*_TLS, *_SASL), "SECURITY_PROTOCOL is PLAINTEXT: set it to SSL or SASL_SSL")
        return security
    security = msgspec.structs.replace(security, **_tls(env))
    if protocol == "SSL":
        _refuse_unused(env, _SASL, "SECURITY_PROTOCOL is SSL: set it to SASL_SSL")
        return security
    return msgspec.structs.replace(security, **_sasl(env))


def _tls(env: Environment) -> dict[str, object]:
    cert_file, key_file = env.file("KAFKA_CERT"), env.file("KAFKA_KEY")
    if (cert_file is None) != (key_file is None):
        given, other = ("CERT_FILE", "KEY_FILE") if key_file is None else ("KEY_FILE", "CERT_FILE")
        raise ConfigurationError(f"{env.prefix}KAFKA_{given} is set and {env.prefix}KAFKA_{other} is not: a client certificate needs both")
    return {
        "ca_file": env.file("KAFKA_CA"),
        "cert_file": cert_file,
        "key_file": key_file,
        "key_password": env.secret_file("KAFKA_KEY_PASSWORD"),
    }


def _sasl(env: Environment) -> dict[str, object]:
    mechanism = env.text("KAFKA_SASL_MECHANISM")
    if mechanism not in get_args(Mechanism):
        raise ConfigurationError(f"{env.prefix}KAFKA_SASL_MECHANISM={mechanism!r} must be one of {', '.join(get_args(Mechanism))}")
    if mechanism == "OAUTHBEARER":
        _refuse_unused(env, _PASSWORD, "SASL_MECHANISM is OAUTHBEARER")
        return {"mechanism": mechanism, **_oauth(env)}
    _refuse_unused(env, (*_CLIENT_CREDENTIALS, "TOKEN_PROVIDER"), f"SASL_MECHANISM is {mechanism}, not OAUTHBEARER")
    return {"mechanism": mechanism, "username": env.text("KAFKA_USERNAME"), "password": env.needed_secret_file("KAFKA_PASSWORD")}


def _oauth(env: Environment) -> dict[str, object]:
    provider = env.optional("KAFKA_TOKEN_PROVIDER")
    if provider is not None:
        if not _PROVIDER.fullmatch(provider):
            raise ConfigurationError(f"{env.prefix}KAFKA_TOKEN_PROVIDER={provider!r} must be package.module:function")
        _refuse_unused(env, _CLIENT_CREDENTIALS, "TOKEN_PROVIDER is set")
        return {"token_provider": provider}
    if env.optional("KAFKA_OAUTH_TOKEN_ENDPOINT") is None:
        raise ConfigurationError(
            f"{env.prefix}KAFKA_SASL_MECHANISM=OAUTHBEARER needs {env.prefix}KAFKA_OAUTH_TOKEN_ENDPOINT or {env.prefix}KAFKA_TOKEN_PROVIDER"
        )
    endpoint = env.text("KAFKA_OAUTH_TOKEN_ENDPOINT")
    if not endpoint.startswith(("https://", "http://")):
        raise ConfigurationError(f"{env.prefix}KAFKA_OAUTH_TOKEN_ENDPOINT={endpoint!r} must start with https:// or http://")
    credentials = ClientCredentials(
        endpoint=endpoint,
        client_id=env.text("KAFKA_OAUTH_CLIENT_ID"),
        client_secret=env.needed_secret_file("KAFKA_OAUTH_CLIENT_SECRET"),
        scope=env.optional("KAFKA_OAUTH_SCOPE"),
        ca_file=env.file("KAFKA_OAUTH_CA"),
    )
    return {"client_credentials": credentials}


def _refuse_unused(env: Environment, names: tuple[str, ...], why: str) -> None:
    given = next((name for name in names if env.optional(f"KAFKA_{name}") is not None), None)
    if given is not None:
        raise ConfigurationError(f"{env.prefix}KAFKA_{given} is set and would not be used, because {env.prefix}KAFKA_{why}")
