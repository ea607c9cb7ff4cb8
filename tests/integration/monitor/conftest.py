"""A world per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.monitor.world import World

from driftloop.local.s3 import S3Access


@pytest.fixture
def world(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    made = World(kafka_bootstrap, s3, f"m{unique}", tmp_path)
    yield made
    made.stop()
