"""The port suites once more: against the very Kafka and MinIO that docker-compose.yml runs, each in a container."""

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.contract import test_broker, test_object_store
from tests.contract.test_object_store import s3_settings  # noqa: F401  a fixture of the suite
from tests.support.docker import need_docker
from tests.support.ports import free_port_base
from tests.support.waiting import wait_until

from driftloop.local.kafka import answers
from driftloop.local.s3 import S3Access

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]  # MinIO's first build takes minutes

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 600
MINIO_IMAGE = "driftloop/minio:test"


@pytest.fixture(scope="module")
def kafka_bootstrap() -> Iterator[str]:
    need_docker()
    from testcontainers.core.container import DockerContainer

    port = free_port_base()  # fixed beforehand: the broker must advertise it
    container = (
        DockerContainer("apache/kafka:4.3.1")
        .with_env("ADVERTISED_LISTENERS", f"BROKER://localhost:9092,HOST://127.0.0.1:{port}")
        .with_env("LISTENERS", "/etc/plain/plain.properties")
        .with_volume_mapping(str(REPOSITORY / "infra" / "kafka"), "/etc/driftloop", "ro")
        .with_volume_mapping(str(REPOSITORY / "tests" / "contract" / "plain_kafka"), "/etc/plain", "ro")
        .with_command("bash /etc/driftloop/start.sh")
    )
    container.ports["19092/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]  # its method cannot bind to one address
    with container:
        wait_until(lambda: answers(port), f"Kafka in a container at {port}", READY_SECONDS)
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Access]:
    need_docker()
    from testcontainers.core.container import DockerContainer

    subprocess.run(["docker", "build", "-q", "-t", MINIO_IMAGE, str(REPOSITORY / "infra" / "minio")], check=True, capture_output=True)
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    port = free_port_base()
    container = (
        DockerContainer(MINIO_IMAGE).with_env("MINIO_ROOT_USER", access).with_env("MINIO_ROOT_PASSWORD", secret).with_env("HOME", "/tmp")
    )
    container.ports["9000/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]
    with container:
        endpoint = f"http://127.0.0.1:{port}"
        wait_until(lambda: _live(endpoint), f"MinIO in a container at {endpoint}", READY_SECONDS)
        yield S3Access(endpoint, access, secret, "us-east-1", "driftloop")


def _live(endpoint: str) -> bool:
    try:
        return httpx.get(f"{endpoint}/minio/health/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class TestKafkaInAContainer(test_broker.TestKafka):
    """The fixtures above take the place of the local broker."""


class TestMinioInAContainer(test_object_store.TestMinioObjectStore):
    """The fixtures above take the place of the local store."""
