"""A world per test, on the shared broker or on one of its own that may be paused."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.monitor.world import World
from tests.support.servers import PausableKafka, pausable_kafka_server

from driftloop.local.s3 import S3Access


@pytest.fixture
def world(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    made = World(kafka_bootstrap, s3, f"m{unique}", tmp_path)
    yield made
    made.stop()


@pytest.fixture
def own_broker() -> Iterator[PausableKafka]:
    with pausable_kafka_server() as broker:
        yield broker


@pytest.fixture
def own_world(own_broker: PausableKafka, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    made = World(own_broker.bootstrap, s3, f"m{unique}", tmp_path)
    yield made
    made.stop()
    gc.collect()  # so that this test's warnings are this test's
