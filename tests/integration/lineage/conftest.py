"""Fixtures of the lineage tests on the real broker, store and registry: trained once."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.registry.registry_process import make_world, registry

from driftloop.local.s3 import S3Access


@pytest.fixture(scope="session")
def world(kafka_bootstrap: str, s3: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineageWorld]:
    """Version 1, the champion, from three windows, and version 2, measured against it, from four."""
    made = LineageWorld(kafka_bootstrap, s3, uuid.uuid4().hex[:10], tmp_path_factory.mktemp("world"), trainers=False)
    made.fill_lake(3)
    made.train()
    made.fill_lake(4, version=1)
    made.train(champion=False)
    try:
        yield made
    finally:
        made.hold.unlink(missing_ok=True)
        made.producer.close()


@pytest.fixture(scope="module")
def commands(world: LineageWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """`driftloop` beside a registry that is up, and down again before the next file: it handles every model's runs on this broker."""
    folder: Path = tmp_path_factory.mktemp("commands")
    with registry(make_world(world.bootstrap, world.s3, world.name), folder) as running:
        yield Commands(world, running, folder / "home")
