"""Projects whose estimator is another library's, from the lake to an answer: trained, measured, rebuilt to the byte, served, deleted."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.integration.lineage.changed import Changed
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.predictor.harness import Predictor, account, eventually
from tests.integration.registry.registry_process import make_world, registry
from tests.unit.training import jobs

from driftloop.adapters.kafka import create_topics, read_topic
from driftloop.artifact.model_files import LoadedModel, load_model, model_key
from driftloop.contracts.estimator_files import file_name
from driftloop.contracts.topics import inferences, requests, stream_topics
from driftloop.errors import IntegrityError
from driftloop.local.s3 import S3Access
from driftloop.rows.schemas import request_schema

ENCODED = "make_column_transformer((encoder, ['colour']), remainder='passthrough')"
FILLED = "make_column_transformer((filled, ['colour']), remainder='passthrough', verbose_feature_names_out=False)"
PIPELINES = {
    "lightgbm": """
from lightgbm import LGBMClassifier
from sklearn.pipeline import make_pipeline

def build():
    return make_pipeline(LGBMClassifier(n_estimators=10, num_leaves=7))
""",
    "xgboost": f"""
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from xgboost import XGBClassifier

def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_pipeline({ENCODED}, XGBClassifier(n_estimators=10, max_depth=3))
""",
    "catboost": f"""
from catboost import CatBoostClassifier
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

def build():
    filled = SimpleImputer(strategy="constant", fill_value="none")
    columns = {FILLED}
    return make_pipeline(columns.set_output(transform="pandas"), CatBoostClassifier(iterations=10, depth=3, cat_features=["colour"]))
""",
}
PACKAGES = {"lightgbm": {"lightgbm"}, "xgboost": {"xgboost", "xgboost-cpu"}, "catboost": {"catboost"}}
# members that weigh their rows, and one that takes the event time
RECIPES = {"lightgbm": "mean:[all, all+time, decay:4]", "xgboost": "decay:4", "catboost": "all+time"}


class EstimatorWorld(LineageWorld):
    library: str

    @property
    def files(self) -> list[str]:
        members = 3 if RECIPES[self.library].startswith("mean") else 1
        return [file_name(self.library, n + 1) for n in range(members)]


@pytest.fixture(scope="module", params=sorted(PIPELINES))
def world(
    request: pytest.FixtureRequest, kafka_bootstrap: str, s3: S3Access, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EstimatorWorld]:
    """Version 1 from three windows; version 2, measured against it and champion after it, from four."""
    made = EstimatorWorld(kafka_bootstrap, s3, uuid.uuid4().hex[:10], tmp_path_factory.mktemp("estimators"), trainers=False)
    made.library = request.param
    try:
        made.project = made.register(PIPELINES[made.library], candidates=f'["{RECIPES[made.library]}"]')
        create_topics(kafka_bootstrap, stream_topics(made.name, 1))
        made.fill_lake(3)
        made.train()
        made.fill_lake(4, version=1)
        made.train()
        yield made
    finally:
        made.producer.close()


def loaded(world: EstimatorWorld, version: int) -> LoadedModel:
    return load_model(world.store, world.name, world.model().versions[version - 1].manifest, world.project.schema, ())


def test_its_files_are_the_versions_and_its_library_is_in_the_environment(world: EstimatorWorld) -> None:
    model = loaded(world, 2)
    assert sorted(set(model.manifest.files) - {"model.skops", "profile.json", "card.md", "lineage.json"}) == world.files
    assert len(PACKAGES[world.library] & set(model.manifest.environment["packages"])) == 1
    assert model.manifest.measurements is not None  # version 1 was loaded and scored in the training process


def test_it_is_rebuilt_to_the_byte_and_a_damaged_file_is_named(world: EstimatorWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("commands")
    with registry(make_world(world.bootstrap, world.s3, world.name), folder) as running:
        commands = Commands(world, running, folder / "home")
        done = commands.run("models", "reproduce", world.name, "2", "--json", "--at-least", "bytes", "--compare-again")
        assert done.exit_code == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["rebuilt_manifest"] == found["manifest"] == world.model().versions[1].manifest
        assert set(world.files) < set(found["files"])
    key = model_key(world.name, world.model().versions[1].manifest, world.files[0])
    for data, said in ((b"tree\n", "are not the ones that were named"), (None, "is missing")):
        with Changed(world.store, key, data), pytest.raises(IntegrityError, match=f"{world.files[0]}.* {said}"):
            loaded(world, 2)


def test_a_predictor_serves_it_by_stream_and_by_http(world: EstimatorWorld) -> None:
    features = jobs.rows(1).select(["price", "colour"]).slice(0, 40).to_pylist()
    features[0]["colour"] = "a colour that no model has seen"
    rows = [
        {"event_id": f"e{n}", "event_time": jobs.START + timedelta(hours=12 * n), "entity": f"c{n}", **row}
        for n, row in enumerate(features)
    ]
    table = pa.Table.from_pylist(rows, schema=request_schema(world.project.schema))
    expected = loaded(world, 2).scorer.score(table).score.to_pylist()
    assert None not in expected
    with Predictor(world, "predictor-0", {}) as predictor:
        for row in rows:
            world.producer.send(requests(world.name), msgspec.json.encode(row), partition=0)
        world.producer.flush()
        answer = predictor.http.post("/invocations", json={"dataframe_records": [features[1]]}).json()
        assert answer["version"] == 2
        assert 0 < answer["scores"][0] < 1
        eventually("the rows to be scored", lambda: streamed(world).num_rows == 40)
        scored = streamed(world)
    found = dict(zip(scored["event_id"].to_pylist(), scored["score"].to_pylist(), strict=True))
    assert found == {row["event_id"]: score for row, score in zip(rows, expected, strict=True)}


def streamed(world: EstimatorWorld) -> pa.Table:
    """What was scored of the rows that were sent to the stream, without those that came by HTTP."""
    rows = account(read_topic(world.bootstrap, inferences(world.name)), world.project).rows
    return rows.filter(pa.compute.is_valid(rows["request_offset"]))
