"""A world per test, on the shared broker or on one of its own that may be paused."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.monitor.world import World
from tests.support.ports import free_port_base
from tests.support.servers import READY_SECONDS, shared_cache

from driftloop.local.aot import ensure_aot_cache
from driftloop.local.kafka import KafkaServer
from driftloop.local.ports import StackPorts
from driftloop.local.process import spawn, stop, wait_ready
from driftloop.local.s3 import S3Access


@pytest.fixture
def world(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    made = World(kafka_bootstrap, s3, f"m{unique}", tmp_path)
    yield made
    made.stop()


class PausableBroker:
    """A broker that only this test uses."""

    def __init__(self, bootstrap: str, pid: int) -> None:
        self.bootstrap, self._pid = bootstrap, pid

    def pause(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest.fixture
def own_broker() -> Iterator[PausableBroker]:
    ports = StackPorts(free_port_base())
    ensure_aot_cache(shared_cache())
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        server = KafkaServer(Path(home), shared_cache(), ports.kafka, ports.kafka_controller)
        server.prepare()
        process = spawn(server.spec())
        try:
            wait_ready(process, server.spec(), READY_SECONDS)
            yield PausableBroker(server.bootstrap, process.pid)
        finally:
            os.kill(process.pid, signal.SIGCONT)
            stop(process, server.spec().stop_seconds)


@pytest.fixture
def own_world(own_broker: PausableBroker, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    made = World(own_broker.bootstrap, s3, f"m{unique}", tmp_path)
    yield made
    made.stop()
    gc.collect()  # so that this test's warnings are this test's
