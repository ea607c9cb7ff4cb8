"""Rejected, mended, sent again: on a real broker and store, with the services that reject, and a command that is killed on its way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.integration.predictor.harness import Predictor
from tests.integration.registry.registry_process import World, make_world, registry
from tests.support.ingest_process import IngestProcess
from tests.support.waiting import wait_until
from tests.unit.redrive.messages import JSON_ROW, row, truth

from driftloop import Client
from driftloop.adapters.kafka import Producer, create_topics, read_topic
from driftloop.contracts import topics
from driftloop.contracts.redrives import redrive_of
from driftloop.demo.conservation import Conservation, conservation
from driftloop.errors import ObjectNotFound
from driftloop.installation import Installation
from driftloop.lake.table import LakeTable
from driftloop.settings import S3Settings

GOOD, BAD_ROWS, BAD_LABELS = 5, 4, 3


class Shop:
    """A stream with its registry, predictor and ingest, good and bad traffic, and commands as a person gives them."""

    def __init__(self, world: World, url: str, folder: Path) -> None:
        self.world, self.stream, self.folder = world, world.model, folder
        self.s3 = S3Settings(**asdict(world.s3))
        self.client = Client(stack=Installation(folder, world.bootstrap, self.s3, url, {}))
        (folder / "access").write_text(world.s3.access_key)
        (folder / "secret").write_text(world.s3.secret_key)
        settings = {
            "KAFKA_BOOTSTRAP": world.bootstrap,
            "REGISTRY_URL": url,
            "S3_ENDPOINT": world.s3.endpoint,
            "S3_BUCKET": world.s3.bucket,
            "S3_ACCESS_KEY_FILE": str(folder / "access"),
            "S3_SECRET_KEY_FILE": str(folder / "secret"),
        }
        self._environment = os.environ | {f"DRIFTLOOP_CLI_{name}": value for name, value in settings.items()}

    def send(self) -> None:
        producer = Producer(self.world.bootstrap, client_id="test-shop")
        for n in range(GOOD + BAD_ROWS):
            value = row(n) if n < GOOD else row(n, amount="much")
            producer.send(topics.requests(self.stream), json.dumps(value).encode(), key=b"k", partition=n % 2, headers=JSON_ROW)
        for n in range(GOOD + BAD_LABELS):
            value = truth(n) if n < GOOD else truth(n, label="yes")
            producer.send(topics.labels(self.stream), json.dumps(value).encode(), key=b"k", partition=n % 2, headers=JSON_ROW)
        producer.flush()
        producer.close()

    def command(self, *words: str, crash: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "driftloop.cli", "quarantine", *words, "--stream", self.stream],
            env=self._environment | {"DRIFTLOOP_CRASH_POINT": crash},
            capture_output=True,
            text=True,
            check=False,
        )

    def redrive(self, *words: str, crash: str = "", code: int = 0) -> dict[str, Any]:
        done = self.command("redrive", *words, "--json", crash=crash)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else {}

    def stored(self, table: str) -> list[str]:
        try:
            return sorted(LakeTable.open(self.s3, self.stream, table).read(["event_id"]).column("event_id").to_pylist())
        except ObjectNotFound:
            return []

    def wait_for(self, table: str, rows: int) -> list[str]:
        wait_until(lambda: len(self.stored(table)) >= rows, f"{rows} rows of {table} in the lake")
        return self.stored(table)

    def conserved(self) -> Conservation:
        bootstrap = self.world.bootstrap
        inferences, labels = (LakeTable.open(self.s3, self.stream, table).read() for table in ("inferences", "labels"))
        return conservation(
            self.stream,
            requests=read_topic(bootstrap, topics.requests(self.stream)),
            labels=read_topic(bootstrap, topics.labels(self.stream)),
            quarantine=read_topic(bootstrap, topics.quarantine(self.stream)),
            inferences_table=inferences,
            labels_table=labels,
            acknowledged=(GOOD + BAD_ROWS, GOOD + BAD_LABELS),
        )

    def sent_again(self, topic: str) -> int:
        return sum(redrive_of(record.headers) is not None for record in read_topic(self.world.bootstrap, topic))


@pytest.fixture
def shop(kafka_bootstrap, s3, unique, tmp_path) -> Iterator[Shop]:
    world = make_world(kafka_bootstrap, s3, f"q{unique}")
    create_topics(kafka_bootstrap, topics.stream_topics(world.model, 2))
    with registry(world, tmp_path / "registry") as running:
        assert running.client.post("/projects", json=world.project_body()).status_code == 201
        made = Shop(world, str(running.client.base_url).rstrip("/"), tmp_path)
        of_ingest = SimpleNamespace(
            folder=tmp_path, ingest_s3_endpoint=s3.endpoint, bootstrap=kafka_bootstrap, s3=made.s3, stream=world.model
        )
        of_predictor = SimpleNamespace(folder=tmp_path, s3=s3, bootstrap=kafka_bootstrap, name=world.model)
        with Predictor(of_predictor, "predictor-0", {}), IngestProcess(of_ingest, "ingest-0", {}):
            yield made


def test_what_was_rejected_is_mended_and_sent_again_once_wherever_the_command_is_killed(shop: Shop, tmp_path: Path) -> None:
    shop.send()
    wait_until(lambda: len(shop.client.quarantined(shop.stream)) >= BAD_ROWS + BAD_LABELS, "the bad messages to be in quarantine")
    requests, labels = topics.requests(shop.stream), topics.labels(shop.stream)

    # as they were, they would be rejected again: the command says so, and sends nothing
    refused = shop.redrive("--all", "--as-is", "--why", "try", code=3)
    assert (refused["sent"], refused["refused"]) == (0, BAD_ROWS + BAD_LABELS)
    assert all("expected" in one["why"] for one in refused["messages"])

    # killed before it sends, when all is sent, and when all is on record: the same command goes on from there
    fix = ("--reason", "'amount'", "--set", "amount=2.5", "--why", "amounts came as text")
    dry = shop.redrive(*fix, "--dry-run")
    assert (dry["run"], dry["sent"]) == (None, BAD_ROWS)
    bad = [one for one in shop.client.quarantined(shop.stream) if one.topic == requests]
    for one, point in zip(bad, ("redrive.before-send", "redrive.after-send", "redrive.after-record"), strict=False):
        shop.redrive(one.id, *fix[2:], crash=point, code=-9)
    done = shop.redrive(*fix)
    assert (done["sent"], done["before"]) == (BAD_ROWS - 2, 2)
    assert shop.sent_again(requests) == BAD_ROWS

    # one by its id, the others by a function; what was sent before stays, and with --again it goes once more
    first = next(one for one in shop.client.quarantined(shop.stream) if one.topic == labels)
    assert shop.redrive(f"{labels}/{first.partition}/{first.offset}", "--set", "label=true", "--why", "by id")["sent"] == 1
    (tmp_path / "fix.py").write_text("def fix(message):\n    return {**message.row, 'label': message.row['label'] == 'yes'}\n")
    by_function = ("redrive", "--reason", "'label'", "--transform", f"{tmp_path}/fix.py:fix", "--why", "yes is true", "--json")
    with ThreadPoolExecutor() as at_once:
        both = [at_once.submit(shop.command, *by_function) for _ in range(2)]
    ended = [one.result() for one in both]
    assert all(one.returncode == 0 or "is at it since" in one.stderr for one in ended), [one.stderr for one in ended]
    assert sum(json.loads(one.stdout)["sent"] for one in ended if one.returncode == 0) == BAD_LABELS - 1
    assert shop.sent_again(labels) == BAD_LABELS

    assert shop.wait_for("inferences", GOOD + BAD_ROWS) == [f"e{n}" for n in range(GOOD + BAD_ROWS)]
    assert shop.wait_for("labels", GOOD + BAD_LABELS) == [f"e{n}" for n in range(GOOD + BAD_LABELS)]
    account = shop.conserved()
    assert account.ok, account.violations
    assert (account.quarantined, account.redriven) == (0, BAD_ROWS + BAD_LABELS)

    # who, when, why and where it is now, as list and show tell it; with the old coordinates in the message
    (told,) = next(one for one in shop.client.quarantined(shop.stream) if one.id == first.id).redriven
    assert (told.why, told.message.partition, told.message.offset) == ("by id", first.partition, first.offset)
    (message,) = [
        r
        for r in read_topic(shop.world.bootstrap, labels)
        if (r.partition, r.offset) == (told.message.new_partition, told.message.new_offset)
    ]
    said = redrive_of(message.headers)
    assert said is not None
    assert (said.topic, said.partition, said.offset, said.why) == (labels, first.partition, first.offset, "by id")
    assert "label set to true" in shop.command("show", first.id).stdout

    assert shop.redrive(first.id, "--set", "label=true", "--why", "once more", "--again")["sent"] == 1
    shop.wait_for("labels", GOOD + BAD_LABELS + 1)
    account = shop.conserved()
    assert account.ok, account.violations
    assert account.lake == 2 * GOOD + BAD_ROWS + BAD_LABELS


def test_wrong_use_is_a_sentence() -> None:
    cases = {
        ("--as-is", "--why", "w"): "which messages?",
        ("0:1", "--why", "w"): "say what is done to them",
        ("0:1", "--as-is", "--set", "a=1", "--why", "w"): "one of --as-is",
        ("0:1", "--set", "a", "--why", "w"): "PATH=VALUE",
        ("0:1", "--transform", "nowhere.py:fix", "--why", "w"): "there is no file",
        ("nonsense", "--as-is", "--why", "w"): "is no id",
        ("0:1", "--as-is"): "say why",
    }
    for words, said in cases.items():
        done = subprocess.run(
            [sys.executable, "-m", "driftloop.cli", "quarantine", "redrive", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
