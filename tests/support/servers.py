"""Real servers for tests: one Kafka and one S3 server for a test session, or those of a stack that already runs."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port_base

from driftloop.local.aot import ensure_aot_cache
from driftloop.local.kafka import KafkaServer
from driftloop.local.port_numbers import StackPorts
from driftloop.local.process import ProcessSpec, spawn, stop, wait_ready
from driftloop.local.s3 import S3Access, S3Server, create_bucket
from driftloop.settings import S3Settings

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 600  # a broker that ends is noticed at once; one on a machine that does much else takes its time


def shared_cache() -> Path:
    """The jar cache of the repository, so that a test run downloads nothing twice."""
    return Path(os.environ.get("DRIFTLOOP_CACHE", REPOSITORY / ".driftloop" / "cache"))


def running_kafka() -> str | None:
    """Broker of a stack that a developer keeps running, named by DRIFTLOOP_TEST_STACK."""
    stack = _running_stack()
    return None if stack is None else stack["kafka_bootstrap"]


def running_s3() -> S3Access | None:
    """Store of that stack. Its file gives the keys themselves or, as `driftloop up` writes it, the files that hold them."""
    stack = _running_stack()
    if stack is None:
        return None
    access_key, secret_key = (stack.get(f"s3_{key}") or Path(stack[f"s3_{key}_file"]).read_text() for key in ("access_key", "secret_key"))
    return S3Access(stack["s3_endpoint"], access_key, secret_key, stack["s3_region"], stack["s3_bucket"])


def s3_settings(s3: S3Access) -> S3Settings:
    """As a service reads them."""
    return S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)


def _running_stack() -> dict[str, str] | None:
    path = os.environ.get("DRIFTLOOP_TEST_STACK")
    return json.loads(Path(path).read_text()) if path else None


class Pausable:
    """A server that only one test uses."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def pause(self) -> None:
        """Stop the process: it answers nothing, and its connections stay open."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


class PausableKafka(Pausable):
    def __init__(self, bootstrap: str, pid: int) -> None:
        super().__init__(pid)
        self.bootstrap = bootstrap


class PausableS3(Pausable):
    def __init__(self, access: S3Access, pid: int) -> None:
        super().__init__(pid)
        self.access = access


@contextmanager
def pausable_kafka_server() -> Iterator[PausableKafka]:
    """A broker that ends with the block."""
    ports = StackPorts(free_port_base())
    ensure_aot_cache(shared_cache())
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        server = KafkaServer(Path(home), shared_cache(), ports.kafka, ports.kafka_controller)
        server.prepare()
        with running(server.spec()) as process:
            yield PausableKafka(server.bootstrap, process.pid)


@contextmanager
def pausable_s3_server() -> Iterator[PausableS3]:
    """A store with an empty bucket that ends with the block."""
    ports = StackPorts(free_port_base())
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        server = S3Server(Path(home), ports.s3)
        server.prepare()
        with running(server.spec()) as process:
            create_bucket(server.access())
            yield PausableS3(server.access(), process.pid)


@contextmanager
def kafka_server() -> Iterator[str]:
    """Bootstrap address of a broker that ends with the block."""
    with pausable_kafka_server() as broker:
        yield broker.bootstrap


@contextmanager
def s3_server() -> Iterator[S3Access]:
    """Address, credentials and an empty bucket of a store that ends with the block."""
    with pausable_s3_server() as store:
        yield store.access


@contextmanager
def running(spec: ProcessSpec) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a process until it is ready, and end it after the block, also a paused one: at once, for nothing of it is kept."""
    process = spawn(spec)
    try:
        wait_ready(process, spec, READY_SECONDS)
        yield process
    finally:
        stop(process, 0.0)
