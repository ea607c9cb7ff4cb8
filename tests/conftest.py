"""Fixtures that every test may use."""

import os
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.support.cpu_report import OPTION, CpuReport
from tests.support.servers import kafka_server, running_kafka, running_s3, s3_server
from xdist.scheduler import LoadFileScheduling

from driftloop.local.s3 import S3Access

# How long an example takes says how busy the machine is. pytest's own limit ends what hangs.
settings.register_profile("driftloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("driftloop")

# Models are fitted in the test's own process, too, beside three other workers: OpenMP's threads that spin while they wait for each other
# take ten times the CPU of the fit. Said before anything loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A test's broker lives for minutes: what Java's second compiler does for it costs more than it gives, two fifths of the broker's CPU.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="processor seconds of each test file, with the processes that it starts")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        config.pluginmanager.register(CpuReport())


ONE_AFTER_ANOTHER = ("tests/e2e/compose/", "tests/contract/test_containers.py")  # folders and files that share one engine's stack


class _Scheduling(LoadFileScheduling):
    """With several workers, the tests of one file stay together, and so do those that share the containers.

    By the file's name and not by `xdist_group` marks: xdist 3.8 writes these where pytest 9.2 no longer looks.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "containers" if nodeid.startswith(ONE_AFTER_ANOTHER) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="module", autouse=True)
def no_client_left() -> Iterator[None]:
    """A client of Kafka that a test leaves open connects again and again once its broker has ended, for as long as the worker lives:
    its thread draws from `random` and its sockets are collected in the middle of other tests, which then fail."""
    before = set(threading.enumerate())
    yield
    left = [t.name for t in threading.enumerate() if t not in before and t.name.startswith("kafka-io")]
    assert not left, f"clients of Kafka that a test of this file has not closed: {', '.join(left)}"


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Address of a real broker. It is shared: name topics and groups with `unique`."""
    if running := running_kafka():
        yield running
        return
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Access]:
    """A real S3 server with a bucket. It is shared: put keys under a prefix with `unique`."""
    if running := running_s3():
        yield running
        return
    with s3_server() as access:
        yield access


@pytest.fixture
def unique() -> str:
    """A suffix for the names of topics, groups and streams, so that tests run in any order."""
    return uuid.uuid4().hex[:10]
