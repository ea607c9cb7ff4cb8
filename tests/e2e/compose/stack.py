"""The stack of docker-compose.yml under a name, ports and secrets of its own, so that it meets no other on the machine."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testcontainers.compose import DockerCompose
from tests.support.ports import free_port_base
from tests.support.waiting import wait_until

from driftloop.adapters.kafka_security import Cluster, kafka_cluster
from driftloop.contracts.services import CONSOLE, INSTANCES, PREDICTOR, REGISTRY, SERVICES
from driftloop.settings import Environment

REPOSITORY = Path(__file__).parents[3]
HEALTHY_SECONDS = 240


@dataclass(frozen=True)
class Stack:
    """``up_seconds``: from nothing to everything healthy, images built. ``given``: variables of its own."""

    name: str
    port_base: int
    up_seconds: float
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port_base}"

    def kafka(self, user: str) -> Cluster:
        """The broker as programs on this machine reach it, by one of the stack's users."""
        folder = os.environ["DRIFTLOOP_SECRETS_DIR"]
        told = {
            "BOOTSTRAP": self.bootstrap,
            "SECURITY_PROTOCOL": "SASL_SSL",
            "CA_FILE": f"{folder}/kafka-ca",
            "SASL_MECHANISM": "SCRAM-SHA-512",
            "USERNAME": user,
            "PASSWORD_FILE": f"{folder}/{user}-kafka-password",
        }
        return kafka_cluster(Environment("test", {f"DRIFTLOOP_TEST_KAFKA_{name}": value for name, value in told.items()}))

    @property
    def registry_url(self) -> str:
        return f"http://127.0.0.1:{self.port_base + REGISTRY.port_offset}"

    @property
    def predictor_url(self) -> str:
        """Of the first predictor; a new container may have another port of the range."""
        ports = [p["PublishedPort"] for c in self.containers("predictor") for p in c["Publishers"] if p["PublishedPort"]]
        return f"http://127.0.0.1:{min(ports, default=0)}"

    def compose(self, *arguments: str, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        command = ["docker", "compose", "--profile", "tools", "--profile", "demo", *arguments]
        env = {**os.environ, **self.given}
        done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False, timeout=seconds)
        assert done.returncode == 0 or not check, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def further_project(self, folder: Path, name: str) -> Iterator["Stack"]:
        """One more project beside this stack's, as ``infra/project/docker-compose.yml`` has it; its volumes end with the block."""
        given = {
            "COMPOSE_PROJECT_NAME": f"{self.name}-{name}",
            "COMPOSE_FILE": str(REPOSITORY / "infra" / "project" / "docker-compose.yml"),
            "DRIFTLOOP_STACK": self.name,
            "DRIFTLOOP_PROJECT": str(folder),
            "DRIFTLOOP_PROJECT_NAME": name,
            "DRIFTLOOP_PREDICTOR_PORTS": f"{free_port_base()}",
        }
        beside = Stack(given["COMPOSE_PROJECT_NAME"], self.port_base, 0, given)
        try:
            beside.compose("up", "-d", "--no-build", "project", *(f"project-{s.name}" for s in SERVICES.values() if s.for_project))
            yield beside
        finally:
            beside.compose("down", "--volumes", check=False)

    def cli(self, *arguments: str) -> str:
        """What a command of driftloop prints, run inside the stack."""
        return self.compose("run", "--rm", "-T", "--no-deps", "cli", *arguments).stdout

    def containers(self, service: str = "") -> list[dict[str, str]]:
        """``docker compose ps`` of what runs; one-shot jobs that have ended are not in it."""
        lines = self.compose("ps", "--format", "json", *([service] if service else [])).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_healthy(self, *services: str) -> None:
        def healthy() -> bool:
            found = [c for c in self.containers() if c["Service"] in services]
            return {c["Service"] for c in found} == set(services) and all(c["Health"] == "healthy" for c in found)

        wait_until(healthy, f"{', '.join(services)} to be healthy", HEALTHY_SECONDS)


@contextmanager
def running_stack(secrets_folder: Path) -> Iterator[Stack]:
    """Build the images, bring everything up with testcontainers, take everything away again, volumes included."""
    name, base = f"driftloop-test-{uuid.uuid4().hex[:8]}", free_port_base()
    given = {
        "COMPOSE_PROJECT_NAME": name,
        "DRIFTLOOP_KAFKA_PORT": str(base),
        "DRIFTLOOP_REGISTRY_PORT": str(base + REGISTRY.port_offset),
        "DRIFTLOOP_CONSOLE_PORT": str(base + CONSOLE.port_offset),
        "DRIFTLOOP_PREDICTOR_PORTS": f"{base + PREDICTOR.port_offset}-{base + PREDICTOR.port_offset + INSTANCES - 1}",
        "DRIFTLOOP_SECRETS_DIR": str(secrets_folder),
        "DRIFTLOOP_TAG": "test",
    }
    before = {key: os.environ.get(key) for key in given}
    os.environ.update(given)
    try:
        subprocess.run([REPOSITORY / "infra" / "secrets.sh"], check=True, capture_output=True)
        compose = DockerCompose(str(REPOSITORY), compose_file_name="docker-compose.yml", wait=True)
        built = Stack(name, base, 0)
        built.compose("build", seconds=1500)
        began = time.monotonic()
        with compose:
            yield Stack(name, base, time.monotonic() - began)
    finally:
        # what `compose run` and the other profiles left behind is none of testcontainers' business
        Stack(name, base, 0).compose("down", "--volumes", "--remove-orphans", check=False)
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
