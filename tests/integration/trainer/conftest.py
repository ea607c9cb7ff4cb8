"""Fixtures of the trainer's tests on the real broker and store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.trainer.harness import World

from driftloop.local.s3 import S3Access


@pytest.fixture
def world(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    """A stream with three windows of labelled rows in the lake, a registered project, and no model yet."""
    made = World(kafka_bootstrap, s3, unique, tmp_path)
    made.fill_lake(3)
    try:
        yield made
    finally:
        made.hold.unlink(missing_ok=True)
        made.producer.close()
