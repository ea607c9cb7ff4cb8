"""A project whose only recipe is a mean, from the lake to an answer: trained, measured, rebuilt to the byte, and served."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.predictor.harness import Predictor, account, eventually
from tests.integration.registry.registry_process import make_world, registry
from tests.unit.training import jobs

from driftloop.adapters.kafka import create_topics, read_topic
from driftloop.artifact.composition import Composition
from driftloop.artifact.model_files import CARD, LoadedModel, load_file, load_model
from driftloop.contracts.topics import inferences, requests, stream_topics
from driftloop.local.s3 import S3Access
from driftloop.rows.schemas import request_schema
from driftloop.statistics.profile import Profile

MEAN = "mean:[all, all+time, decay:4]"


@pytest.fixture(scope="module")
def world(kafka_bootstrap: str, s3: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineageWorld]:
    """Version 1 from three windows; version 2, measured against it and champion after it, from four."""
    made = LineageWorld(kafka_bootstrap, s3, uuid.uuid4().hex[:10], tmp_path_factory.mktemp("mean"), trainers=False)
    try:
        made.project = made.register(candidates=f'["{MEAN}"]')
        create_topics(kafka_bootstrap, stream_topics(made.name, 1))
        made.fill_lake(3)
        made.train()
        made.fill_lake(4, version=1)
        made.train()
        yield made
    finally:
        made.producer.close()


def loaded(world: LineageWorld, version: int) -> LoadedModel:
    return load_model(world.store, world.name, world.model().versions[version - 1].manifest, world.project.schema, ())


def test_a_version_is_one_composition_and_its_card_names_the_members(world: LineageWorld) -> None:
    model = loaded(world, 2)
    assert isinstance(model.scorer.pipeline, Composition)
    assert model.manifest.recipe == MEAN
    assert model.manifest.measurements is not None
    assert model.manifest.measurements.champion_version == 1
    assert set(Profile.decode(model.profile_bytes).columns) == {"price", "colour", "$score"}
    card = load_file(world.store, model.manifest, model.digest, CARD).decode()
    assert all(f"- `{member}`: " in card for member in ("all", "all+time", "decay:4"))


def test_it_is_rebuilt_to_the_byte(world: LineageWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("commands")
    with registry(make_world(world.bootstrap, world.s3, world.name), folder) as running:
        commands = Commands(world, running, folder / "home")
        for version, more in ((1, ()), (2, ()), (2, ("--compare-again",))):
            done = commands.run("models", "reproduce", world.name, str(version), "--json", "--at-least", "bytes", *more)
            assert done.exit_code == 0, done.stderr
            found = json.loads(done.stdout)
            assert found["rebuilt_manifest"] == found["manifest"] == world.model().versions[version - 1].manifest


def test_a_predictor_serves_it_by_stream_and_by_http(world: LineageWorld) -> None:
    features = jobs.rows(1).select(["price", "colour"]).slice(0, 40)
    times = [jobs.START + timedelta(hours=12 * n) for n in range(40)]  # most of them within the training data
    rows = [
        {"event_id": f"e{n}", "event_time": time, "entity": f"c{n}", **row}
        for n, (time, row) in enumerate(zip(times, features.to_pylist(), strict=True))
    ]
    scorer = loaded(world, 2).scorer
    table = pa.Table.from_pylist(rows, schema=request_schema(world.project.schema))
    now = table.set_column(1, table.schema.field("event_time"), pa.array([datetime.now(UTC)] * 40, table.schema.field("event_time").type))
    by_time, as_of_now = (scorer.score(each).score.to_pylist() for each in (table, now))
    assert by_time != as_of_now
    with Predictor(world, "predictor-0", {}) as predictor:
        for row in rows:
            world.producer.send(requests(world.name), msgspec.json.encode(row), partition=0)
        world.producer.flush()
        answer = predictor.http.post("/invocations", json={"dataframe_records": features.to_pylist()}).json()
        assert (answer["version"], answer["scores"]) == (2, as_of_now)
        eventually("the rows to be scored", lambda: streamed(world).num_rows == 40)
        scored = streamed(world)
    assert dict(zip(scored["event_id"].to_pylist(), scored["score"].to_pylist(), strict=True)) == {
        row["event_id"]: score for row, score in zip(rows, by_time, strict=True)
    }


def streamed(world: LineageWorld) -> pa.Table:
    """What was scored of the rows that were sent to the stream, without those that came by HTTP."""
    rows = account(read_topic(world.bootstrap, inferences(world.name)), world.project).rows
    return rows.filter(pa.compute.is_valid(rows["request_offset"]))
