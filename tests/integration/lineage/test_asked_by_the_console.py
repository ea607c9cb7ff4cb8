"""What the console asks of the store, each question a process: a prediction explained, what versions are made of and what differs."""

from pathlib import Path

import pytest
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.lineage.test_trace import SCORED

from driftloop.artifact.model_files import MODEL, model_key
from driftloop.errors import UserError
from driftloop_console.asking import Differ, Explain, Made, Questions, Rules

SETTINGS = ("KAFKA_BOOTSTRAP", "S3_ENDPOINT", "S3_BUCKET", "S3_REGION", "S3_ACCESS_KEY_FILE", "S3_SECRET_KEY_FILE", "REGISTRY_URL")


@pytest.fixture
def ask(commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Questions:
    told = {name: commands.settings[name] for name in SETTINGS} | {"INSTANCE": "console-0", "STATE_DIR": str(tmp_path), "HTTP_PORT": "1"}
    for name, value in told.items():
        monkeypatch.setenv(f"DRIFTLOOP_CONSOLE_{name}", value)
    return Questions(seconds=600)


def made(world: LineageWorld, version: int) -> Made:
    of = world.model()
    one = of.versions[version - 1]
    assert of.project is not None
    assert one.pins is not None
    return Made(world.name, one.manifest, of.project.project, one.pins.project)


def test_a_prediction_is_explained_from_the_pinned_bytes(ask: Questions, world: LineageWorld) -> None:
    told = ask(Explain(event=SCORED, stream=world.name))
    found = told["explanation"]
    assert (told["trace"]["event_id"], told["why_not"]) == (SCORED, None)
    assert (found["method"], found["version"], found["manifest"]) == (
        "occlusion by reference values",
        1,
        world.model().versions[0].manifest,
    )
    assert {one["input"] for one in found["contributions"]} == set(world.project.schema.feature_names)
    assert all(one["least"] <= found["score"] - one["change"] <= one["most"] for one in found["contributions"])
    assert (found["recorded"], found["same"]) == (0.75, False)  # the test has written a score of its own into the lake
    assert "no model scored this row" in ask(Explain(event="e1", stream=world.name))["why_not"]
    with pytest.raises(UserError, match="no prediction with the event id"):
        ask(Explain(event="nobody", stream=world.name))


def test_bytes_that_are_not_the_pinned_ones_explain_nothing(ask: Questions, world: LineageWorld) -> None:
    key = model_key(world.name, world.model().versions[0].manifest, MODEL)
    whole = world.store.get(key)
    world.store.put(key, whole[:-1] + b"?")
    try:
        told = ask(Explain(event=SCORED, stream=world.name))
        assert told["explanation"] is None
        assert "not the ones" in told["why_not"]
        assert told["trace"]["ok"] is False
    finally:
        world.store.put(key, whole)


def test_a_version_has_a_card_and_two_have_differences(ask: Questions, world: LineageWorld) -> None:
    one = ask(made(world, 1))
    assert one["missing"] == []
    assert one["card"].startswith("#")
    assert "scikit-learn" in one["environment"]
    both = ask(Differ(made(world, 1), made(world, 2)))
    assert both["missing"] == []
    assert both["sources"] == {"driftloop.toml": "", "pipeline.py": ""}
    assert both["training_rows"][0] < both["training_rows"][1]
    gone = ask(Made(world.name, "f" * 64, None, None))
    assert gone["card"] is None
    assert gone["missing"]


def test_the_policy_is_the_archives(ask: Questions, world: LineageWorld) -> None:
    of = made(world, 1)
    assert of.project is not None
    assert of.archive is not None
    assert ask(Rules(of.project, of.archive))["triggers"] == list(world.project.policy.triggers)
