"""A prediction followed back to bytes on the real store; each link breaks alone when what it stands on is changed."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.lineage.changed import Changed
from tests.integration.lineage.lineage_world import Commands, LineageWorld

from driftloop.artifact.model_files import CARD, MANIFEST, model_key
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.values import TrainingPins
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.snapshot import load_snapshot
from driftloop.lineage.chain import Link
from driftloop.lineage.trace import trace
from driftloop.local.s3 import S3Access
from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import RecalibrationRecord

LINKS = ["prediction", "kafka", "model version", "training run", "snapshot", "files", "offsets", "code", "environment", "seed"]
SCORED = "e1000"  # by version 1; the first 900 events came before there was a model


def followed(world: LineageWorld, event_id: str = SCORED) -> dict[str, Link]:
    return {link.link: link for link in trace(world.store, world.settings, [world.model()], event_id).links}


def broken(world: LineageWorld) -> dict[str, str | None]:
    return {name: link.reason for name, link in followed(world).items() if not link.ok}


def pins(world: LineageWorld) -> TrainingPins:
    return world.model().versions[0].pins


def test_a_prediction_is_followed_back_to_bytes(commands: Commands, world: LineageWorld) -> None:
    done = commands.run("trace", SCORED, "--stream", world.name, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    links = {link["link"]: link["details"] for link in found["links"]}
    version = world.model().versions[0]
    assert (found["event_id"], found["ok"], found["model"], found["version"]) == (SCORED, True, world.name, 1)
    assert (found["prediction"]["prediction"], found["prediction"]["score"]) == (True, 0.75)
    assert list(links) == LINKS
    assert links["prediction"]["sha256"] in links["prediction"]["file"]
    assert (links["kafka"]["partition"], links["kafka"]["offset"], links["kafka"]["request_offset"]) == (0, 1000, 1000)
    assert links["training run"]["request_id"] == version.request_id
    assert links["snapshot"]["digest"] == version.pins.snapshot
    assert (links["files"]["files"], links["files"]["hashed"], links["files"]["wrong"]) == (2, True, [])
    assert {(r["table"], r["start"], r["end"]) for r in links["offsets"]["ranges"]} == {("inferences", 0, 900), ("labels", 0, 900)}
    assert links["code"]["project"] == version.pins.project
    assert links["environment"]["digest"] == version.pins.environment
    assert links["seed"] == {"seed": 0, "threads": 1}


def test_each_link_is_shown_to_a_person(commands: Commands, world: LineageWorld) -> None:
    done = commands.run("trace", SCORED, "--stream", world.name)
    assert (done.exit_code, done.stdout.count("✓"), done.stdout.count("✗")) == (0, len(LINKS), 0)
    with Changed(world.store, snapshot_key(world.name, pins(world).snapshot), None):
        done = commands.run("trace", SCORED, "--stream", world.name)
    assert (done.exit_code, done.stdout.count("✗")) == (1, 3)
    assert "is not in the store" in done.stdout


def test_a_row_that_no_model_scored_has_no_version(world: LineageWorld) -> None:
    found = trace(world.store, world.settings, [world.model()], "e5")
    assert (found.ok, found.version) == (True, None)
    assert found.links[-1].what == "none: there was no champion when it was scored"


def test_the_correction_of_an_answer_is_a_link_with_its_numbers_and_whose_it_is(
    kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path
) -> None:
    own = LineageWorld(kafka_bootstrap, s3, unique, tmp_path, trainers=False)
    own.fill_lake(1, version=1)
    own.fill_lake(2, version=1, recalibrated=2)
    own.producer.close()
    numbers = Recalibration(kind="logit", strength=0.5, intercept=0.1, slope=0.95)
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    common = {"champion_epoch": 1, "since": moment, "by": "ada", "reason": "r"}

    def links(*records: RecalibrationRecord, event_id: str = "e400") -> dict[str, Link]:
        model = msgspec.structs.replace(own.model(), recalibrations=PersistentMap.of({record.epoch: record for record in records}))
        return {link.link: link for link in trace(own.store, own.settings, [model], event_id).links}

    ended = RecalibrationRecord(epoch=1, version=1, recalibration=None, **common)
    made = RecalibrationRecord(epoch=2, version=1, recalibration=numbers, request_id="r7", **common)
    found = links(ended, made)["recalibration"]
    assert (found.ok, found.details["recalibration"]["intercept"]) == (True, 0.1)
    assert found.what == "epoch 2 (logit × 0.95 +0.1), of the run r7, by ada since 2026-05-01T00:00:00+00:00"
    assert "recalibration" not in links(ended, made, event_id="e5")
    assert links(ended)["recalibration"].reason == "the registry knows no recalibration of epoch 2"
    others = msgspec.structs.replace(made, version=3)
    assert links(ended, others)["recalibration"].reason == "that record corrected the answers of version 3, and version 1 answered"


def test_a_version_that_the_registry_does_not_know_is_said(world: LineageWorld) -> None:
    model = world.model()
    unregistered = type(model)(model=model.model, project=model.project)
    found = trace(world.store, world.settings, [unregistered], SCORED)
    assert found.ok is False
    assert found.links[-1].reason == f"the registry knows no version 1 of a model of the stream {world.name}"


@pytest.mark.parametrize("data", [b"other bytes", None])
def test_a_changed_or_missing_object_breaks_its_own_link(world: LineageWorld, data: bytes | None) -> None:
    version = world.model().versions[0]
    file = load_snapshot(world.store, world.name, version.pins.snapshot).files[0]
    archive = f"projects/{world.project.name}/{version.pins.project}.zip"
    for key, links in (
        (model_key(world.name, version.manifest, CARD), {"model version"}),
        (model_key(world.name, version.manifest, MANIFEST), {"model version", "training run", "environment"}),
        (snapshot_key(world.name, version.pins.snapshot), {"snapshot", "files", "offsets"}),
        (f"lake/{world.name}/{file.table}/{file.path}", {"files"}),
        (archive, {"code"}),
    ):
        with Changed(world.store, key, data):
            assert set(broken(world)) == links, key
    assert broken(world) == {}


def test_a_prediction_that_was_written_over_is_found_out(world: LineageWorld) -> None:
    key = followed(world)["prediction"].details["file"]
    table = pq.read_table(pa.BufferReader(world.store.get(key)))
    better = table.set_column(table.column_names.index("score"), "score", pa.array([0.99] * table.num_rows))
    with Changed(world.store, key, parquet_bytes(better)):
        reasons = broken(world)
    assert list(reasons) == ["prediction"]
    assert f"the bytes of {key} are not the ones that were named" in str(reasons["prediction"])


def test_a_prediction_whose_file_is_damaged_is_not_called_unknown(commands: Commands, world: LineageWorld) -> None:
    key = followed(world)["prediction"].details["file"]
    for data, said in ((world.store.get(key)[:-1], f"the bytes of {key} are not"), (None, f"{key} is not in the store")):
        with Changed(world.store, key, data):
            done = commands.run("trace", SCORED, "--stream", world.name)
        assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert said in done.stderr


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("event_id", ["e99999", "../../models", "e1000\n", "%252e%252e", "x' OR 1=1", "é" * 4000])
def test_an_event_that_never_was_is_one_line(commands: Commands, event_id: str) -> None:
    done = commands.run("trace", event_id)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the lake holds no prediction with the event id ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("event_id", ["", "x" * 10_001, "\udcff"])
def test_what_cannot_be_an_event_id_is_refused(commands: Commands, event_id: str) -> None:
    done = commands.run("trace", event_id)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


def test_a_time_narrows_the_search(commands: Commands, world: LineageWorld) -> None:
    row = trace(world.store, world.settings, [world.model()], SCORED).prediction
    assert commands.run("trace", SCORED, "--stream", world.name, "--time", row["event_time"].isoformat()).exit_code == 0
    elsewhere = commands.run("trace", SCORED, "--stream", world.name, "--time", "2031-01-01")
    assert elsewhere.exit_code == 2
    assert "at 2031-01-01T00:00:00+00:00" in elsewhere.stderr
    assert commands.run("trace", SCORED, "--stream", world.name, "--time", "yesterday").exit_code == 2


def test_an_event_id_of_two_streams_is_asked_back(
    commands: Commands, world: LineageWorld, kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path
) -> None:
    other = LineageWorld(kafka_bootstrap, s3, unique, tmp_path, trainers=False)
    other.fill_lake(1)
    other.producer.close()

    done = commands.run("trace", "e100")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert {world.name, other.name} <= set(done.stderr.replace(",", "").split())
    assert "--stream" in done.stderr
    assert commands.run("trace", "e100", "--stream", world.name).exit_code == 0
    assert "no project of the stream 'nowhere'" in commands.run("trace", "e100", "--stream", "nowhere").stderr


def test_a_trace_loads_none_of_the_large_libraries_that_it_does_without(commands: Commands, world: LineageWorld) -> None:
    asked = f"sys.argv[1:] = ['trace', 'e1000', '--stream', '{world.name}', '--json']; cli(standalone_mode=False)"
    code = f"import sys; from driftloop.cli.main import cli; {asked}"
    code += "; print({'pandas', 'duckdb', 'sklearn', 'pyarrow.dataset'} & set(sys.modules), file=sys.stderr)"
    assert commands.python(code).stderr.strip() == "set()"
