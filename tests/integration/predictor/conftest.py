"""Fixtures of the predictor's tests on the real broker and store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.predictor.harness import World, world

from driftloop.local.s3 import S3Access


@pytest.fixture
def stream(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[World]:
    """A stream with a registered project and no model yet."""
    with world(kafka_bootstrap, s3, unique, tmp_path) as made:
        yield made
