"""The containers and the local stack are one system: only addresses and secrets differ between them."""

from pathlib import Path
from typing import Any

import pytest
from infra.init import __main__ as init_job
from tests.architecture.compose_file import REPOSITORY, compose_file

from driftloop.contracts.services import READY_PATH, SERVICES
from driftloop.contracts.topics import CONTROL_TOPICS
from driftloop.local import prepare
from driftloop.local.addresses import StackAddresses
from driftloop.local.environment import service_environment
from driftloop.local.instances import Instance
from driftloop.local.kafka import KafkaServer
from driftloop.local.s3 import BUCKET, REGION
from driftloop.local.stack import LocalStack
from driftloop.service.settings import service_settings, store_settings
from driftloop.settings import Environment

ADDRESSES = {
    "KAFKA_BOOTSTRAP",
    "S3_ENDPOINT",
    "HTTP_HOST",
    "HTTP_PORT",
    "HTTP_NAMES",
    "STATE_DIR",
    "REGISTRY_URL",
    "SERVICES",
    "CONSOLE_URL",
}
SECRETS = {"S3_ACCESS_KEY_FILE", "S3_SECRET_KEY_FILE", "SECRETS_DIR"}
# A local stack is on loopback, of one person; between containers there is a network, and users.
SECURITY = {f"KAFKA_{name}" for name in ("SECURITY_PROTOCOL", "CA_FILE", "SASL_MECHANISM", "USERNAME", "PASSWORD_FILE")}
BROKER_ADDRESSES = {
    "listeners",
    "advertised.listeners",
    "controller.quorum.voters",
    "listener.security.protocol.map",
    "log.dirs",
    "inter.broker.listener.name",
}
BROKER_SECURITY = {"authorizer.class.name", "allow.everyone.if.no.acl.found", "super.users", "inter.broker.listener.name"}


@pytest.fixture
def local(tmp_path: Path) -> StackAddresses:
    """As a local stack would describe itself."""
    for key in ("access", "secret"):
        (tmp_path / key).write_text("key")
    return StackAddresses(
        home=str(tmp_path),
        port_base=29000,
        kafka_bootstrap="127.0.0.1:29000",
        s3_endpoint="http://127.0.0.1:29002",
        s3_access_key_file=str(tmp_path / "access"),
        s3_secret_key_file=str(tmp_path / "secret"),
        s3_region=REGION,
        s3_bucket=BUCKET,
        registry_url="http://127.0.0.1:29010",
    )


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in compose_file()["services"][service]["environment"].items()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_the_same_settings_but_for_addresses_and_secrets(service: str, local: StackAddresses) -> None:
    prefix = f"DRIFTLOOP_{service.upper()}_"
    here, there = service_environment(local, SERVICES[service], Instance(service, 0), Path(local.home), 8080), environment(service)
    secured = {f"{prefix}{name}" for name in SECURITY}
    assert secured <= set(there)
    assert set(there) - secured == set(here) - {f"{prefix}INSTANCE"}, "a replica names itself, see driftloop.service.instance"
    differ = {name.removeprefix(prefix) for name in set(there) - secured if there[name] != here[name]}
    assert differ <= ADDRESSES | SECRETS


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_the_settings_of_the_compose_file(service: str, local: StackAddresses) -> None:
    variables = environment(service)
    for name in variables:
        if name.endswith(("_KEY_FILE", "_PASSWORD_FILE")):
            assert variables[name].startswith(f"/run/secrets/{service}-"), "each service has its own key and its own user"
        if name.endswith("_FILE"):
            variables[name] = local.s3_access_key_file
    assert variables[f"DRIFTLOOP_{service.upper()}_KAFKA_USERNAME"] == service
    if SERVICES[service].rights is None:
        assert service_settings(SERVICES[service], variables).service.name == service
    else:
        settings = store_settings(SERVICES[service], variables)
        assert (settings.s3.bucket, settings.s3.region) == (BUCKET, REGION)


@pytest.mark.parametrize("service", SERVICES)
def test_both_ask_a_service_the_same_way_whether_it_is_ready(service: str, tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, 29000)
    (tmp_path / "secrets").mkdir()
    for file in (stack._s3.access_key_file, stack._s3.secret_key_file):
        file.write_text("key")
    assert str(stack._service_spec(Instance(service, 0)).ready_url).endswith(READY_PATH)
    assert f'b"GET {READY_PATH} HTTP/1.0' in " ".join(compose_file()["services"][service]["healthcheck"]["test"])


def test_both_make_the_same_topics_and_the_same_bucket(local: StackAddresses, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    for module, function in ((prepare, "create_bucket"), (init_job, "ensure_bucket")):
        monkeypatch.setattr(module, function, lambda access: made.update(bucket=access.bucket))
    for create in ("driftloop.adapters.kafka.create_topics", "infra.init.__main__.create_topics"):
        monkeypatch.setattr(create, lambda bootstrap, topics, **named: made.update(topics=topics))
    for asking in ("check_topics", "hand_out_keys", "set_passwords", "give_rights", "_key"):
        monkeypatch.setattr(init_job, asking, lambda *arguments, **named: None)
    prepare.prepare_stack(local)
    local_stack, made = made.copy(), made
    made.clear()
    variables = environment("init")
    variables |= {name: local.s3_access_key_file for name in variables if name.endswith("_FILE")}
    init_job.run(Environment("init", variables))
    assert made == local_stack == {"bucket": BUCKET, "topics": CONTROL_TOPICS}


def test_the_brokers_differ_in_addresses_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.local.kafka.ensure_jars", lambda cache: [])
    monkeypatch.setattr(KafkaServer, "_format", lambda self, jars: None)
    server = KafkaServer(tmp_path, tmp_path, 29000, 29001)
    server.prepare()
    here = properties(server.config_file)
    there = properties(REPOSITORY / "infra" / "kafka" / "server.properties") | {
        name: value
        for name, value in properties(REPOSITORY / "infra" / "kafka" / "secured.properties").items()
        if name not in BROKER_SECURITY and not name.startswith(("ssl.", "sasl.", "listener.name."))
    }
    differ = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}
    assert differ <= BROKER_ADDRESSES


def properties(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return dict(line.partition("=")[::2] for line in lines)
