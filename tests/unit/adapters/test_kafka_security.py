"""The security block in the settings: what is read, and what is told of a block that is wrong."""

from pathlib import Path

import pytest

from driftloop.adapters.kafka_security import PLAINTEXT, Cluster, cluster_of, kafka_cluster
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, SecretFile

SASL = {"SECURITY_PROTOCOL": "SASL_SSL"}
OAUTH = SASL | {"SASL_MECHANISM": "OAUTHBEARER"}


def read(**told: str) -> Cluster:
    variables = {"BOOTSTRAP": "broker:9092"} | told
    return kafka_cluster(Environment("ingest", {f"DRIFTLOOP_INGEST_KAFKA_{key}": value for key, value in variables.items()}))


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("  secret\n")
    return str(tmp_path / "file")


def test_without_a_block_there_is_no_security() -> None:
    assert read() == Cluster("broker:9092", read().security)
    assert not read().security.encrypted
    assert cluster_of("a:1,b:2") == Cluster("a:1,b:2", PLAINTEXT)


def test_a_scram_user_of_a_cluster_with_a_ca_of_its_own(file: str) -> None:
    told = {
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "USERNAME": "ingest",
        "PASSWORD_FILE": file,
        "CA_FILE": file,
    }
    security = read(**SASL, **told).security
    assert (security.protocol, security.mechanism, security.username, security.ca_file) == ("SASL_SSL", "SCRAM-SHA-512", "ingest", file)
    assert security.password == SecretFile("DRIFTLOOP_INGEST_KAFKA_PASSWORD_FILE", file)
    assert security.password.read() == "secret"


def test_client_credentials(file: str) -> None:
    told = {"OAUTH_TOKEN_ENDPOINT": "https://login/token", "OAUTH_CLIENT_ID": "me", "OAUTH_SCOPE": "kafka"}
    found = read(**OAUTH, **told, OAUTH_CLIENT_SECRET_FILE=file).security.client_credentials
    assert found is not None
    assert (found.endpoint, found.client_id, found.client_secret.read(), found.scope) == ("https://login/token", "me", "secret", "kafka")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL='TLS' must be one of PLAINTEXT, SSL, SASL_SSL"),
        ({"CA_FILE": "/ca"}, "KAFKA_CA_FILE is set and would not be used, because DRIFTLOOP_INGEST_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ({"SECURITY_PROTOCOL": "SSL", "USERNAME": "a"}, "KAFKA_USERNAME is set and would not be used"),
        ({"SECURITY_PROTOCOL": "SSL", "CA_FILE": "/nowhere"}, "KAFKA_CA_FILE: cannot read /nowhere: No such file or directory"),
        ({"SECURITY_PROTOCOL": "SSL", "CERT_FILE": "FILE"}, "KAFKA_CERT_FILE is set and DRIFTLOOP_INGEST_KAFKA_KEY_FILE is not"),
        (SASL, "KAFKA_SASL_MECHANISM is not set"),
        (SASL | {"SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM='GSSAPI' must be one of PLAIN"),
        (SASL | {"SASL_MECHANISM": "PLAIN"}, "KAFKA_USERNAME is not set"),
        (SASL | {"SASL_MECHANISM": "PLAIN", "USERNAME": "a"}, "KAFKA_PASSWORD_FILE is not set"),
        (SASL | {"SASL_MECHANISM": "PLAIN", "USERNAME": "a", "PASSWORD_FILE": "/nowhere"}, "KAFKA_PASSWORD_FILE: cannot read /nowhere"),
        (SASL | {"SASL_MECHANISM": "PLAIN", "TOKEN_PROVIDER": "a:b"}, "KAFKA_TOKEN_PROVIDER is set and would not be used"),
        (OAUTH, "needs DRIFTLOOP_INGEST_KAFKA_OAUTH_TOKEN_ENDPOINT or DRIFTLOOP_INGEST_KAFKA_TOKEN_PROVIDER"),
        (OAUTH | {"TOKEN_PROVIDER": "a.b"}, "KAFKA_TOKEN_PROVIDER='a.b' must be package.module:function"),
        (OAUTH | {"TOKEN_PROVIDER": "a:b", "OAUTH_SCOPE": "s"}, "KAFKA_OAUTH_SCOPE is set and would not be used"),
        (OAUTH | {"OAUTH_TOKEN_ENDPOINT": "login"}, "KAFKA_OAUTH_TOKEN_ENDPOINT='login' must start with https:// or http://"),
        ({"BOOTSTRAP": "broker"}, "KAFKA_BOOTSTRAP='broker' must be host:port[,host:port]"),
    ],
)
def test_what_is_wrong_is_told_by_its_setting(told: dict[str, str], reason: str, file: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{key: file if value == "FILE" else value for key, value in told.items()})
    assert str(caught.value).startswith("DRIFTLOOP_INGEST_")
    assert reason in str(caught.value)
