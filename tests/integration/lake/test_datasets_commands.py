"""`driftloop datasets`: what people see, and one clear line where something is not there."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click import Group
from click.testing import CliRunner, Result
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.cli.datasets import datasets
from driftloop.cli.lake import lake
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.topics import CONTROL_TOPICS, TRAINING_RUNS
from driftloop.contracts.values import PromotionRules, TrainingPins
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot
from driftloop.registry.records import ProjectRef

END = event_time(1000)


def pins(snapshot: str) -> TrainingPins:
    return TrainingPins(
        snapshot=snapshot,
        project="b" * 64,
        environment="c" * 64,
        code="1",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )


class Registry:
    """Answers as the registry does, for one model of one stream."""

    def __init__(self, stream: str) -> None:
        self.stream, self.versions = stream, []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                model = registry.model()
                body = json.dumps([model | {"versions": len(registry.versions)}] if self.path == "/models" else model).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def model(self) -> dict[str, object]:
        project = ProjectRef(
            project="p",
            stream=self.stream,
            model=self.stream,
            archive="e" * 64,
            schema_fingerprint="f" * 64,
            promotion=PromotionRules(),
        )
        return {
            "model": self.stream,
            "project": msgspec.to_builtins(project),
            "versions": self.versions,
            "aliases": {},
            "champion": None,
            "champion_epoch": 0,
            "waiting": [],
        }

    def add_version(self, snapshot: str) -> None:
        number = len(self.versions) + 1
        self.versions.append(
            {
                "model": self.stream,
                "version": number,
                "request_id": f"r{number}",
                "manifest": "d" * 64,
                "pins": {f: getattr(pins(snapshot), f) for f in TrainingPins.__struct_fields__},
                "registered_at": "2026-05-03T12:00:00Z",
                "standing": None,
            }
        )


@pytest.fixture
def tables(open_table, store, schema):
    inferences, labels = open_table("inferences"), open_table("labels")
    append(store, inferences, lake_inferences(schema, 0, 0, 20), 0)
    append(store, labels, lake_labels(schema, 0, 0, 20), 0)
    return inferences, labels


@pytest.fixture
def registry(schema):
    running = Registry(schema.stream)
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def snapshots(store, schema, tables, registry, kafka_bootstrap):
    """Two; version 1 was trained on the first, and a run is going on over the second."""
    project = sample_project(schema)
    digests = [pin(store, project, *tables, start=None, end=END)[0]]
    append(store, tables[0], lake_inferences(schema, 0, 20, 30), 20)
    append(store, tables[1], lake_labels(schema, 0, 4, 5, value=False, delay_seconds=900), 20)
    digests.append(pin(store, project, *tables, start=None, end=END)[0])
    registry.add_version(digests[0])
    create_topics(kafka_bootstrap, CONTROL_TOPICS)
    producer = Producer(kafka_bootstrap, client_id="test")
    started = TrainingStarted(model=schema.stream, request_id=f"running-{schema.stream}", answers=(), pins=pins(digests[1]))
    Publisher(producer, source="driftloop/test").publish(TRAINING_RUNS, started, key=schema.stream, id=f"s-{schema.stream}")
    producer.close()
    return digests


@pytest.fixture
def run(settings, registry, kafka_bootstrap, tmp_path, monkeypatch):
    """The command line, over a stack that the environment names."""
    for name, value in (("access", settings.access_key), ("secret", settings.secret_key)):
        (tmp_path / name).write_text(value)
    variables = {
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "S3_ENDPOINT": settings.endpoint,
        "S3_BUCKET": settings.bucket,
        "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
        "REGISTRY_URL": registry.url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"DRIFTLOOP_CLI_{name}", value)

    def command(*arguments: str, of: Group = datasets) -> Result:
        return CliRunner().invoke(of, [str(a) for a in arguments])

    return command


def answer(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_tables_versions_snapshots_and_who_was_trained(run, schema, snapshots):
    found = answer(run("list", schema.stream, "--json"))
    tables = {t["table"]: t for t in found["tables"]}
    assert (tables["inferences"]["rows"], tables["labels"]["rows"]) == (30, 21)
    assert [(r["topic"], r["partition"], r["start"], r["end"]) for r in tables["labels"]["ranges"]] == [
        (f"{schema.stream}.labels", 0, 0, 21)
    ]
    assert tables["inferences"]["event_time_min"] == "2024-03-01T00:00:00Z"
    assert [(v["version"], v["rows"]) for v in tables["labels"]["versions"]][:2] == [(2, 1), (1, 20)]
    by_digest = {s["digest"]: s for s in found["snapshots"]}
    assert [(t["model"], t["version"], t["state"]) for t in by_digest[snapshots[0]]["trained"]] == [(schema.stream, 1, "version")]
    assert [(t["version"], t["state"]) for t in by_digest[snapshots[1]]["trained"]] == [(None, "running")]
    assert by_digest[snapshots[0]]["schema_fingerprint"] == schema.fingerprint()
    assert f"{schema.stream} v1" in run("list", schema.stream).stdout


def test_show_tells_the_split_and_how_it_is_computed(run, schema, snapshots):
    found = answer(run("show", snapshots[0][:16], "--json"))
    assert found["split"] == {"key": "entity", "salt": "driftloop", "hash": "xxh64", "buckets": 10_000, "held_out_from": 9_000}
    assert found["trained"][0]["version"] == 1
    assert found["rows"] == {"inferences": 20, "labels": 20}
    text = run("show", snapshots[0][:16]).stdout
    for part in ("xxh64", "'driftloop'", "entity", "10,000", "9,000", snapshots[0]):
        assert part in text
    assert answer(run("show", f"{schema.stream}/labels@1", "--json"))["rows"] == 20


def test_diff_shows_the_correction(run, snapshots):
    found = answer(run("diff", snapshots[0][:16], snapshots[1][:16], "--json"))
    assert (found["rows"]["added"], found["labels"]["corrected"]) == (10, 1)
    assert event_id(0, 4) in run("diff", snapshots[0][:16], snapshots[1][:16]).stdout


def test_verify_ends_with_1_and_names_the_file_that_is_wrong(run, store, schema, snapshots):
    assert answer(run("verify", *snapshots, "--split", "--json"))["split"]["ok"]
    file = load_snapshot(store, schema.stream, snapshots[1]).files[-1]
    key = f"lake/{schema.stream}/{file.table}/{file.path}"
    intact = store.get(key)
    store.put(key, b"other")
    result = run("verify", *snapshots, "--json")
    assert result.exit_code == 1
    wrong = {s["digest"]: [p["problem"] for p in s["problems"]] for s in json.loads(result.stdout)["snapshots"]}
    assert wrong[snapshots[1]] == ["size"]
    assert file.path in run("verify", snapshots[1]).stdout
    assert "Traceback" not in result.output

    used = run("show", "--file", key, "--json")
    assert used.exit_code == 1, used.output
    store.put(key, intact)  # from a backup: nothing else has to be told
    assert answer(run("verify", *snapshots, "--split", "--json"))["split"]["ok"]


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl", "json"])
def test_export_writes_what_the_file_name_says(run, schema, snapshots, tmp_path, form):
    path = tmp_path / f"rows.{form}"
    found = answer(run("export", schema.stream, "--table", "inferences", "-o", path, "--json"))
    assert (found["rows"], found["format"]) == (30, form)
    match form:
        case "parquet":
            ids = pq.read_table(path).column("event_id").to_pylist()
        case "arrow":
            ids = pa.ipc.open_stream(path.read_bytes()).read_all().column("event_id").to_pylist()
        case "json":
            ids = [row["event_id"] for row in json.loads(path.read_text())]
        case "jsonl":
            ids = [json.loads(line)["event_id"] for line in path.read_text().splitlines()]
        case _:
            ids = [line.split(",")[0].strip('"') for line in path.read_text().splitlines()[1:]]
    assert ids == [event_id(0, n) for n in range(30)]
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []


def test_export_goes_to_a_pipe_and_ends_at_the_limit(run, schema, snapshots):
    rows = answer(run("export", schema.stream, "--table", "labels", "--limit", "3", "--json"))
    assert [(r["event_id"], r["label"]) for r in rows] == [(event_id(0, n), True) for n in range(3)]
    lines = run("export", schema.stream, "--limit", "2").stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith('"event_id","event_time"')
    assert answer(run("export", schema.stream, "--limit", "0", "--json")) == []
    pinned = answer(run("export", schema.stream, "--snapshot", snapshots[0][:16], "--json"))
    assert [r["label"] for r in pinned] == [True] * 20
    known = answer(run("export", schema.stream, "--known-below", f"{schema.stream}.labels-0=20", "--as-of", END.isoformat(), "--json"))
    assert [r["label"] for r in known] == [True] * 20 + [None] * 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "0" * 64], "0 snapshots"),
        (["show", "../../secrets"], "not the beginning of a digest"),
        (["show", "..%252f/labels"], "no stream's name"),
        (["show", "none/labels"], "no table none/labels"),
        (["diff", "0" * 64, "1" * 64], "0 snapshots"),
        (["verify", "f" * 64], "0 snapshots"),
        (["list", "none"], "no stream 'none'"),
        (["list", "a\nb"], "no stream's name"),
        (["export", "../x"], "no stream's name"),
        (["export", "none"], "no table none"),
        (["export", "none", "-o", "rows.txt"], "no table none"),
        (["export", "{stream}", "-o", "rows.txt"], "does not say its format"),
        (["export", "{stream}", "-o", "/none/rows.csv"], "No such file"),
        (["export", "{stream}", "--as-of", "soon"], "is no time"),
        (["export", "{stream}", "--known-below", "x"], "is no offset"),
        (["export", "{stream}", "--columns", "nope"], "no column 'nope'"),
    ],
)
def test_a_mistake_is_one_line_and_a_code_that_is_not_0(run, schema, tables, kafka_bootstrap, arguments, said):
    result = run(*(a.format(stream=schema.stream) for a in arguments))
    assert result.exit_code != 0
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_snapshot_ends_with_the_versions_that_were_trained_on_it(run, registry, schema, snapshots, store):
    held = json.loads(run("expire", schema.stream, "--json", of=lake).stdout)["snapshots"]
    assert all(each["held"].startswith("it was pinned at") for each in held)
    time.sleep(1.1)  # the store's times are of whole seconds
    held = json.loads(run("expire", schema.stream, "--grace", "0s", "--json", of=lake).stdout)["snapshots"]
    assert {each["digest"]: each["held"] for each in held} == {
        snapshots[0]: f"version 1 of {schema.stream} was trained on it",
        snapshots[1]: f"the run running-{schema.stream} of {schema.stream} may still become a version",
    }
    registry.versions[0]["standing"] = {
        "model": schema.stream,
        "version": 1,
        "state": "deleted",
        "since": "2026-05-04T12:00:00Z",
        "by": "Kim",
        "reason": "old",
    }
    would = run("expire", schema.stream, "--grace", "0s", "--dry-run", of=lake)
    assert "would be given up" in would.stdout
    assert load_snapshot(store, schema.stream, snapshots[0]).digest == snapshots[0]
    done = json.loads(run("expire", schema.stream, "--grace", "0s", "--json", of=lake).stdout)["snapshots"]
    assert [each["digest"] for each in done if each["held"] is None] == [snapshots[0]]
    assert [s["digest"] for s in json.loads(run("list", schema.stream, "--json").stdout)["snapshots"]] == [snapshots[1]]
    assert "0 snapshots have a digest" in run("show", snapshots[0]).output


def test_streams_that_are_no_names_are_refused(run):
    assert "is no stream's name" in run("expire", "../x", of=lake).output
