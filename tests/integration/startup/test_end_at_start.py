"""How a service's process ends when it cannot start: the code, and one line that says what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.servers import kafka_server

from driftloop.contracts.services import REGISTRY, SERVICES, TRAINER, Service
from driftloop.local.s3 import S3Access
from driftloop.service.process import EXIT_CONFIGURATION

Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def broker_without_topics() -> Iterator[str]:
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs the service to its end; gives it what it needs of a store, which need not be there."""

    def run(service: Service, s3: S3Access | None = None, **told: str) -> "subprocess.CompletedProcess[str]":
        for name, secret in (("access", s3.access_key if s3 else "key"), ("secret", s3.secret_key if s3 else "key")):
            (tmp_path / name).write_text(secret)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {
            "KAFKA_BOOTSTRAP": "127.0.0.1:9",
            "S3_ENDPOINT": s3.endpoint if s3 else "http://127.0.0.1:9",
            "S3_BUCKET": s3.bucket if s3 else "none",
            "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
            "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
            "HTTP_PORT": str(port),
            "STATE_DIR": str(tmp_path / "state"),
            "REGISTRY_URL": "http://127.0.0.1:9",  # which only the console asks
        }
        variables = {f"DRIFTLOOP_{service.name.upper()}_{name}": value for name, value in (settings | told).items()}
        command = [sys.executable, "-m", service.package]
        return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False)

    return run


def said(done: "subprocess.CompletedProcess[str]") -> str:
    """Its one line for a person."""
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("driftloop ")]
    return line


@pytest.mark.parametrize("service", [REGISTRY, TRAINER], ids=lambda service: service.name)
def test_missing_topics_are_named_with_the_remedy(service: Service, broker_without_topics: str, s3: S3Access, start: Start) -> None:
    done = start(service, s3, KAFKA_BOOTSTRAP=broker_without_topics)
    assert done.returncode == EXIT_CONFIGURATION
    assert said(done).startswith(f"driftloop {service.name}: topic ")
    assert "does not exist; create it with: driftloop up" in said(done)


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_a_taken_port_is_named_with_its_setting(service: Service, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(service, HTTP_PORT=str(port))
    assert done.returncode == EXIT_CONFIGURATION
    assert said(done) == (
        f"driftloop {service.name}: DRIFTLOOP_{service.name.upper()}_HTTP_PORT={port}: "
        f"cannot listen on 127.0.0.1:{port}: Address already in use"
    )


@pytest.mark.parametrize("service", [s for s in SERVICES.values() if s.for_project], ids=lambda service: service.name)
def test_a_project_that_is_no_name_is_refused_at_once(service: Service, start: Start) -> None:
    done = start(service, PROJECT="*")
    assert done.returncode == EXIT_CONFIGURATION
    assert said(done) == (
        f"driftloop {service.name}: DRIFTLOOP_{service.name.upper()}_PROJECT='*' must be lower-case letters, digits and hyphens; "
        "leave it out to work for the only project that is registered"
    )
