"""The compose stack as a person gets it: up, closed, least rights, scaled, and clear about what is wrong."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from tests.e2e.compose.stack import REPOSITORY, Stack
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import Producer
from driftloop.adapters.kafka_admin import administered
from driftloop.contracts.services import CONSOLE, RIGHTS, SERVICES
from driftloop.errors import ConfigurationError
from driftloop.local.kafka import answers
from driftloop.service.process import EXIT_CONFIGURATION

pytestmark = [pytest.mark.docker, pytest.mark.timeout(2400)]  # the first one builds the images

# Run inside a service: does its own key open this area of the bucket for reading and for writing? Deleting is tried last.
TRY_RIGHTS = """
import json
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import SERVICES
from driftloop.errors import ConfigurationError, ObjectNotFound
from driftloop.service.settings import store_settings
store, tried = MinioObjectStore(store_settings(SERVICES[NAME]).s3), {}

def may(what):
    try:
        what()
    except ConfigurationError:
        return False
    except ObjectNotFound:
        return True
    return True

for area in ("lake", "models", "projects", "snapshots", "probe"):
    key = f"{area}/.test-of-rights"
    tried[area] = [may(lambda: store.get(key)), may(lambda: store.put(key, b"x")), may(lambda: store.delete(key))]
print(json.dumps(tried))
"""


def test_everything_comes_up_healthy_and_knows_the_project(stack: Stack, record_property: Callable[[str, object], None]) -> None:
    record_property("up_seconds", round(stack.up_seconds, 1))
    states = {c["Service"]: c["Health"] for c in stack.containers()}
    assert states == dict.fromkeys((*SERVICES, "kafka", "minio"), "healthy")
    assert httpx.get(f"{stack.registry_url}/models").status_code == httpx.codes.OK
    with closing(Producer(stack.kafka("applications"), client_id="test")) as application:  # on this machine
        application.send("flights.labels", b"broken, to be quarantined")
        application.flush()


def test_the_console_shows_the_model_and_whom_it_can_ask(stack: Stack) -> None:
    console = f"http://127.0.0.1:{stack.port_base + CONSOLE.port_offset}"
    assert "flights-late" in httpx.get(f"{console}/models").text
    found = httpx.get(f"{console}/now.json", timeout=60).json()
    assert {service["instance"] for service in found["services"]} >= {f"{name}-0" for name in SERVICES}
    assert "no prediction with the event id" in httpx.get(f"{console}/prediction", params={"event": "none"}, timeout=120).text


def test_the_broker_lets_nobody_in_without_a_user_and_nobody_do_what_is_not_theirs(stack: Stack) -> None:
    assert not answers(stack.port_base), "without TLS and a user there is no answer"
    with closing(Producer(stack.kafka("applications"), client_id="test")) as application:
        application.send("registry-log", b"nothing of an application's")
        with pytest.raises(ConfigurationError, match="the broker's rights allow this user not this topic"):
            application.flush()


def test_nothing_is_published_beyond_loopback_and_the_store_not_at_all(stack: Stack) -> None:
    for container in stack.containers():
        for port in container.get("Publishers") or []:
            assert not port["PublishedPort"] or port["URL"] == "127.0.0.1", f"{container['Service']} is open on {port['URL']}"
    assert not any(p["PublishedPort"] for c in stack.containers("minio") for p in c.get("Publishers") or [])
    outside = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    assert stack.compose("exec", "-T", "ingest", "python", "-c", outside, check=False).returncode != 0, "ingest reaches the internet"


@pytest.mark.parametrize("service", [name for name, service in SERVICES.items() if service.rights])
def test_a_service_can_do_in_the_bucket_what_the_table_says(stack: Stack, service: str) -> None:
    said = stack.compose("exec", "-T", service, "python", "-c", TRY_RIGHTS.replace("NAME", repr(service))).stdout
    rights = RIGHTS[service]
    for area, (read, written, deleted) in json.loads(said.splitlines()[-1]).items():
        probes = area == "probe" and area in rights.write
        assert (read, written, deleted) == (area in rights.read or probes, area in rights.write, area in rights.delete or probes), area


def test_a_container_runs_without_root_and_cannot_change_itself(stack: Stack) -> None:
    for service in SERVICES:
        tried = stack.compose("exec", "-T", service, "sh", "-c", "id -u; grep CapEff /proc/1/status; touch /app/x", check=False)
        assert "10001" in tried.stdout
        assert "0000000000000000" in tried.stdout
        assert "Read-only file system" in tried.stderr


def test_predictor_and_monitor_can_be_two_each_and_name_themselves(stack: Stack) -> None:
    def scale(count: int) -> None:
        """Of these two by name: without one everything of the profiles would start, the replay of a whole year among it."""
        scaled = (option for service in ("predictor", "monitor") for option in ("--scale", f"{service}={count}"))
        stack.compose("up", "-d", "--no-build", "--no-recreate", "--no-deps", *scaled, "predictor", "monitor")

    scale(2)
    try:
        stack.wait_healthy("predictor", "monitor")
        instances = {s["instance"] for s in json.loads(stack.cli("status", "--json"))["services"]}
        assert {"predictor-0", "predictor-1", "monitor-0", "monitor-1"} <= instances
        ports = {p["PublishedPort"] for c in stack.containers("predictor") for p in c["Publishers"] if p["PublishedPort"]}
        told = {httpx.get(f"http://127.0.0.1:{port}/status").json()["instance"] for port in ports}
        assert told == {"predictor-0", "predictor-1"}
    finally:
        scale(1)


def test_one_more_project_joins_and_leaves_and_the_first_one_does_not_notice(stack: Stack, tmp_path: Path) -> None:
    flights = (REPOSITORY / "examples" / "flights" / "driftloop.toml").read_text(encoding="utf-8")
    tmp_path.chmod(0o755)  # another user reads it in the container
    (tmp_path / "driftloop.toml").write_text(flights.replace('name = "flights"', 'name = "beta"').replace("flights-late", "beta-late"))
    shutil.copy(REPOSITORY / "examples" / "flights" / "pipeline.py", tmp_path)
    before = _that_stay(stack)
    with stack.further_project(tmp_path, "beta") as beta:
        own = [name for name, service in SERVICES.items() if service.for_project]
        beta.wait_healthy(*(f"project-{name}" for name in own))
        wait_until(lambda: _told_projects(beta) == {f"{name}-0": ("ready", "beta") for name in own}, "beta's services to tell so")
        stack.compose("restart", *own)  # each used to wait for ever: two projects are registered
        stack.wait_healthy(*own)
        wait_until(lambda: _told_projects(stack) == {f"{name}-0": ("ready", "flights") for name in own}, "the first one's to tell so")
    stack.wait_healthy(*SERVICES)
    assert _that_stay(stack) == before


def _that_stay(stack: Stack) -> dict[str, str]:
    """Ids of the containers that run on; a replay of the tests before may still be on its way out."""
    return {c["Service"]: c["ID"] for c in stack.containers() if c["Service"] in (*SERVICES, "kafka", "minio")}


def _told_projects(stack: Stack) -> dict[str, tuple[str, str]]:
    """State and project of each instance that works for one; one that takes its time on a busy machine counts as down."""
    told = json.loads(stack.cli("status", "--json"))["services"]
    return {service["instance"]: (service["state"], service["project"]) for service in told if "project" in service}


def test_a_service_that_dies_is_started_again(stack: Stack) -> None:
    container = stack.compose("ps", "-q", "ingest").stdout.strip()
    process = _inspect(container, "{{.State.Pid}}")
    if os.geteuid() != 0:
        pytest.skip("only root may kill a container's process; docker kill counts as a wish to stop")
    os.kill(int(process), signal.SIGKILL)
    wait_until(lambda: _inspect(container, "{{.RestartCount}}") == "1", "ingest to be started again", 30)
    stack.wait_healthy("ingest")


@pytest.mark.parametrize(
    ("service", "setting", "says"),
    [
        ("ingest", "DRIFTLOOP_INGEST_S3_ENDPOINT=minio:9000", "DRIFTLOOP_INGEST_S3_ENDPOINT='minio:9000' must start with http"),
        ("predictor", "DRIFTLOOP_PREDICTOR_KAFKA_BOOTSTRAP=", "DRIFTLOOP_PREDICTOR_KAFKA_BOOTSTRAP is not set"),
        ("trainer", "DRIFTLOOP_TRAINER_S3_SECRET_KEY_FILE=/none", "DRIFTLOOP_TRAINER_S3_SECRET_KEY_FILE: cannot read /none"),
        ("monitor", "DRIFTLOOP_MONITOR_HTTP_PORT=web", "DRIFTLOOP_MONITOR_HTTP_PORT='web' is not a whole number"),
        ("registry", "DRIFTLOOP_REGISTRY_STATE_DIR=/etc", "DRIFTLOOP_REGISTRY_STATE_DIR: cannot write /etc/registry-0"),
    ],
)
def test_a_wrong_setting_stops_a_service_with_one_line_that_names_it(stack: Stack, service: str, setting: str, says: str) -> None:
    done = stack.compose("run", "--rm", "-T", "--no-deps", "-e", setting, service, check=False)
    assert done.returncode == EXIT_CONFIGURATION
    lines = [line for line in done.stderr.splitlines() if line.startswith("driftloop ")]
    assert len(lines) == 1
    assert says in lines[0]
    assert "Traceback" not in done.stderr


def test_a_bucket_without_rights_stops_a_service_with_the_remedy(stack: Stack) -> None:
    """The registry's key in the hands of ingest: it may not write the lake."""
    keys = [f"DRIFTLOOP_INGEST_S3_{which}_KEY_FILE=/tmp/{which}" for which in ("ACCESS", "SECRET")]
    own = os.environ["DRIFTLOOP_SECRETS_DIR"]
    mounts = [f"{own}/registry-{which.lower()}-key:/tmp/{which}:ro" for which in ("ACCESS", "SECRET")]
    options = [o for pair in zip(["-e"] * 2, keys, strict=True) for o in pair] + [o for m in mounts for o in ("-v", m)]
    done = stack.compose("run", "--rm", "-T", "--no-deps", *options, "ingest", check=False, seconds=120)
    assert done.returncode == EXIT_CONFIGURATION
    assert "the key of ingest cannot read lake/" in done.stderr
    assert "init job" in done.stderr


def test_a_topic_with_another_configuration_stops_a_service_with_the_remedy(stack: Stack) -> None:
    def alter(value: str) -> None:
        with administered(stack.kafka("cli"), "altering a topic") as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "flights.requests", configs={"max.message.bytes": value})])

    alter("1000")
    try:
        done = stack.compose("run", "--rm", "-T", "--no-deps", "predictor", check=False, seconds=120)
    finally:
        alter(str(4 * 1024 * 1024))
    assert done.returncode == EXIT_CONFIGURATION
    assert "topic flights.requests: max.message.bytes is 1000, needs 4194304" in done.stderr


def _inspect(container: str, template: str) -> str:
    return subprocess.run(["docker", "inspect", "-f", template, container], check=True, capture_output=True, text=True).stdout.strip()
