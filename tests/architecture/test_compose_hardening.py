"""What docker-compose.yml promises to those who put it in front of real traffic, read from the file itself."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from infra.init.policies import policy
from tests.architecture.compose_file import REPOSITORY, compose_file

from driftloop import metrics
from driftloop.contracts.services import NOTIFIER, RIGHTS, SERVICES
from driftloop.contracts.storage_rights import PROBE

COMPOSE = compose_file()
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"init", "project", "cli", "demo"}
CA_KEY, CERTIFICATES = "kafka-ca-key", ("kafka-ca", "kafka-keystore")  # the key is for making certificates, and no container's
OF_RULES = "notifications"  # a folder of what people put there; the notifier reads it
OWN_USER = {"kafka", "prometheus", "grafana"}  # their images name a user that is not root


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_do_as_little_as_possible(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert "container_name" not in container, "a fixed name forbids a second instance"
    if name not in OWN_USER:
        assert container["user"] == "10001:10001"


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ONE_SHOT])
def test_what_runs_on_is_watched_and_started_again(name: str) -> None:
    container = CONTAINERS[name]
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"]


def test_the_start_order_is_by_health() -> None:
    conditions = {c["condition"] for container in CONTAINERS.values() for c in container.get("depends_on", {}).values()}
    assert conditions == {"service_healthy", "service_completed_successfully"}
    assert all(CONTAINERS[s]["depends_on"]["init"] for s in SERVICES)


def test_ports_are_published_on_loopback_alone() -> None:
    published = [port for container in CONTAINERS.values() for port in container.get("ports", [])]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)


def test_the_store_is_on_an_internal_network_alone() -> None:
    assert CONTAINERS["minio"]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"]["internal"] is True
    assert "ports" not in CONTAINERS["minio"]


def test_the_broker_encrypts_what_comes_from_elsewhere_and_allows_nobody_by_default() -> None:
    lines = (REPOSITORY / "infra" / "kafka" / "secured.properties").read_text(encoding="utf-8").splitlines()
    told = dict(line.partition("=")[::2] for line in lines if not line.startswith("#"))
    protocols = dict(pair.split(":") for pair in told["listener.security.protocol.map"].split(","))
    for listener in told["listeners"].split(","):
        name, _, address = listener.partition("://")
        assert protocols[name] == "SASL_SSL" or address.startswith("localhost:"), f"{name} is open to others than the broker itself"
    assert told["authorizer.class.name"].endswith(".StandardAuthorizer")
    assert told["allow.everyone.if.no.acl.found"] == "false"


@pytest.mark.parametrize("name", sorted({*SERVICES, *RIGHTS}))
def test_a_service_sees_its_own_secrets_alone_and_the_store_only_with_them(name: str) -> None:
    store = [f"{name}-access-key", f"{name}-secret-key"] if name in RIGHTS else []
    of_rules = [OF_RULES] if name == NOTIFIER.name else []
    assert sorted(CONTAINERS[name].get("secrets", [])) == sorted([*store, *of_rules, f"{name}-kafka-password", "kafka-ca"])
    assert ("store" in CONTAINERS[name]["networks"]) == (name in RIGHTS)


def test_the_script_makes_the_secrets_that_are_mounted_and_keeps_them(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        subprocess.run([REPOSITORY / "infra" / "secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir() if file.is_file()}

    made = make()
    assert set(made) == {*COMPOSE["secrets"], CA_KEY} - {OF_RULES}
    assert (tmp_path / "secrets" / OF_RULES).stat().st_mode & 0o777 == 0o755, "the notifier runs as another user"
    assert len(set(made.values())) == len(made), "every secret is random"
    assert all(re.fullmatch("[0-9a-f]{20}|[0-9a-f]{40}", value) for name, value in made.items() if name not in (CA_KEY, *CERTIFICATES))
    verified = subprocess.run(["openssl", "verify", "-CAfile", *(tmp_path / "secrets" / name for name in CERTIFICATES)], check=False)
    assert verified.returncode == 0
    assert (tmp_path / "secrets" / CA_KEY).stat().st_mode & 0o077 == 0, "only who makes certificates reads the authority's key"
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0, "nobody else can enter the folder"
    assert make() == made


@pytest.mark.parametrize("service", sorted(RIGHTS))
def test_a_policy_allows_what_the_table_says_and_nothing_else(service: str) -> None:
    rights = RIGHTS[service]
    allowed: dict[str, set[str]] = {}
    for statement in policy("bucket", rights)["Statement"]:
        for action in statement["Action"]:
            allowed.setdefault(action.removeprefix("s3:"), set()).update(statement["Resource"])
    areas = {area for each in RIGHTS.values() for area in (*each.read, *each.write, *each.delete)} | {PROBE}
    objects = {area: f"arn:aws:s3:::bucket/{area}/*" for area in areas}
    assert allowed["GetObject"] == {objects[area] for area in {*rights.read, *rights.write} if area in rights.read or area == PROBE}
    assert allowed.get("PutObject", set()) == {objects[area] for area in rights.write}
    probes = {PROBE} & {*rights.write}
    assert allowed.get("DeleteObject", set()) == {objects[area] for area in {*rights.delete} | probes}
    assert allowed.keys() <= {"GetObject", "ListBucket", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts", "DeleteObject"}


def test_the_dashboard_shows_metrics_that_the_services_export() -> None:
    exported = {metric._name for metric in vars(metrics).values() if hasattr(metric, "_name")}
    dashboard = (REPOSITORY / "infra" / "grafana" / "dashboards" / "driftloop.json").read_text(encoding="utf-8")
    shown = {re.sub("_(total|bucket)$", "", name) for name in re.findall(r"driftloop_\w+", dashboard)}
    assert shown
    assert shown <= exported


def test_every_variable_of_the_compose_file_is_documented() -> None:
    files = ("docker-compose.yml", "infra/project/docker-compose.yml")
    used = {name for path in files for name in re.findall(r"\$\{(\w+)", (REPOSITORY / path).read_text(encoding="utf-8"))}
    documented = set(re.findall(r"`(DRIFTLOOP_\w+)`", (REPOSITORY / "docs" / "compose.md").read_text(encoding="utf-8")))
    assert used == documented
