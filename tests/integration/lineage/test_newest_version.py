"""A change upstream, on the real lake: what was fitted within the window of the change is what the next version is made of, and that is
rebuilt to the byte."""

import json
import uuid
from collections.abc import Iterator

import pytest
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.registry.registry_process import make_world, registry
from tests.unit.training import jobs

from driftloop.artifact.model_files import Manifest, load_manifest
from driftloop.local.s3 import S3Access


@pytest.fixture(scope="module")
def world(kafka_bootstrap: str, s3: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineageWorld]:
    """Version 1 from three windows, version 2 from four that are alike, version 3 with a fifth whose labels are the other way round."""
    made = LineageWorld(kafka_bootstrap, s3, uuid.uuid4().hex[:10], tmp_path_factory.mktemp("newest"), trainers=False)
    try:
        made.project = made.register(candidates='["all", "newest+time"]', more="[promotion]\nmin_rows = 40\n")
        made.fill_lake(3)
        made.train()
        made.fill_lake(4, version=1)
        made.train()
        made.fill_lake(5, version=2, flip_in=4)
        made.train()
        yield made
    finally:
        made.producer.close()


def manifest(world: LineageWorld, version: int) -> Manifest:
    return load_manifest(world.store, world.name, world.model().versions[version - 1].manifest)


def test_the_window_of_the_change_makes_the_next_version(world: LineageWorld) -> None:
    before, after = manifest(world, 2), manifest(world, 3)
    assert (before.recipe, after.recipe) == ("all", "newest+time")
    measured = after.measurements
    assert measured is not None
    assert (measured.window, measured.judged_on) == (jobs.window(4), "other-keys")
    assert measured.champion < 0.3 < 0.7 < measured.candidate
    assert 40 < measured.rows < 110  # a quarter of 300
    assert after.rows < 300  # the window itself, but for what is held out


def test_how_it_ages_is_handed_from_run_to_run(world: LineageWorld) -> None:
    (first,), both = manifest(world, 2).aged["newest+time"], manifest(world, 3).aged["newest+time"]
    assert abs(first) < 0.2
    assert both[0] == first
    assert both[1] > 0.4


def test_it_is_rebuilt_to_the_byte_also_when_all_is_compared_again(world: LineageWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("commands")
    with registry(make_world(world.bootstrap, world.s3, world.name), folder) as running:
        commands = Commands(world, running, folder / "home")
        for more in ((), ("--compare-again",)):
            done = commands.run("models", "reproduce", world.name, "3", "--json", "--at-least", "bytes", *more)
            assert done.exit_code == 0, done.stdout + done.stderr
            found = json.loads(done.stdout)
            assert found["rebuilt_manifest"] == found["manifest"] == world.model().versions[2].manifest
