"""A registry as its own process, and what trainer and CLI would have written before it is asked."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
from tests.support.ports import free_port
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.registry.commands import pins

from driftloop.adapters.kafka import Producer, Publisher, create_topics, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.codec import caused_id, decode_event
from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS, TRAINING_RUNS
from driftloop.contracts.values import GateMeasurements
from driftloop.local.s3 import S3Access
from driftloop.project.model import Project
from driftloop.settings import S3Settings


class Registry(NamedTuple):
    client: httpx.Client
    process: subprocess.Popen[bytes]
    database: Path
    log: Path

    def get(self, path: str, **params: Any) -> Any:
        response = self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()


class World(NamedTuple):
    """Broker, store, and a model with its project registered."""

    bootstrap: str
    s3: S3Access
    store: MinioObjectStore
    model: str

    def project(self, **rules: Any) -> Project:
        return sample_project(small_schema(self.model), **({"min_rows": 100} | rules))

    def project_body(self, project: Project | None = None, **changes: Any) -> dict[str, Any]:
        """A call that registers the project, whose archive is in the store."""
        project = project or self.project()
        archive = project.digest()
        self.store.put(f"projects/{self.model}/{archive}.zip", project.archive())
        return {
            "project": self.model,
            "stream": self.model,
            "model": self.model,
            "archive": archive,
            "actor": "a person",
            "reason": "up",
        } | changes

    def store_model(self, request_id: str) -> str:
        """A stored version as the trainer leaves it; the digest of its manifest."""
        skops = f"model of {request_id}".encode()
        files = {"model.skops": {"sha256": hashlib.sha256(skops).hexdigest(), "size": len(skops)}}
        manifest = msgspec.json.encode({"model": self.model, "request_id": request_id, "files": files})
        name = hashlib.sha256(manifest).hexdigest()
        self.store.put(f"models/{self.model}/{name}/model.skops", skops)
        self.store.put(f"models/{self.model}/{name}/manifest.json", manifest)
        return name

    def train(
        self,
        request_id: str,
        *,
        epoch: int = 0,
        measured: GateMeasurements | None = None,
        manifest: str | None = None,
        recalibrations: tuple[RecalibrationProposal, ...] = (),
    ) -> None:
        """Publish that a run completed, as often as called."""
        event = TrainingCompleted(
            model=self.model,
            request_id=request_id,
            answers=(request_id,),
            manifest=manifest or self.store_model(request_id),
            pins=pins(epoch, against=measured.champion_version if measured and recalibrations else None),
            recipe="all",
            candidates=(),
            measurements=measured,
            rows=1000,
            seconds=1.0,
            recalibrations=recalibrations or msgspec.UNSET,
        )
        producer = Producer(self.bootstrap, client_id="test-trainer")
        Publisher(producer, source="driftloop/trainer").publish(TRAINING_RUNS, event, key=self.model, id=caused_id("completed", request_id))
        producer.close()

    def decisions(self) -> dict[str, list[DecisionMade]]:
        """This model's decisions by event id; repeats of one id are one decision."""
        found: dict[str, list[DecisionMade]] = {}
        for record in read_topic(self.bootstrap, DECISIONS):
            event, about = decode_event(record.value, record.headers)
            if isinstance(event, DecisionMade) and event.model == self.model:
                found.setdefault(about.id, []).append(event)
        return found

    def decision(self, request_id: str) -> DecisionMade:
        """Waits for it."""
        name = caused_id("decision", "promote", request_id)
        wait_until(lambda: name in self.decisions(), f"the decision on request {request_id}")
        return self.decisions()[name][0]


_worlds: list[World] = []  # of the registries that run now


def make_world(bootstrap: str, s3: S3Access, model: str) -> World:
    create_topics(bootstrap, CONTROL_TOPICS)
    return World(bootstrap, s3, MinioObjectStore(_settings(s3)), model)


@contextmanager
def registry(world: World, folder: Path, name: str = "registry-0", **environment: str) -> Iterator[Registry]:
    """A registry that is ready, and that is ended by SIGTERM after the block if it still runs.

    Registries of one broker share the work: one that another test left running would take the runs that this test waits for.
    """
    strangers = [other.model for other in _worlds if other.bootstrap == world.bootstrap and other.model != world.model]
    assert not strangers, f"a registry of another test still runs on this broker, for {strangers}"
    _worlds.append(world)
    try:
        with _started(world, folder, name, environment) as running:
            yield running
    finally:
        _worlds.remove(world)


@contextmanager
def _started(world: World, folder: Path, name: str, environment: dict[str, str]) -> Iterator[Registry]:
    port, home = free_port(), folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "access").write_text(world.s3.access_key)
    (home / "secret").write_text(world.s3.secret_key)
    settings = {
        "INSTANCE": name,
        "KAFKA_BOOTSTRAP": world.bootstrap,
        "S3_ENDPOINT": world.s3.endpoint,
        "S3_BUCKET": world.s3.bucket,
        "S3_REGION": world.s3.region,
        "S3_ACCESS_KEY_FILE": str(home / "access"),
        "S3_SECRET_KEY_FILE": str(home / "secret"),
        "HTTP_PORT": str(port),
        "STATE_DIR": str(home),
    }
    log = home / "log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "driftloop_registry"],
            env=os.environ | {f"DRIFTLOOP_REGISTRY_{k}": v for k, v in settings.items()} | environment,
            stdout=out,
            stderr=out,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
        try:
            wait_until(lambda: _ready(client, process, log), f"{name} to be ready")
            yield Registry(client, process, home / "registry.sqlite", log)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"the registry ended with {process.returncode}:\n{log.read_text()[-3000:]}"
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _settings(s3: S3Access) -> S3Settings:
    return S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)


def commands(world: World, running: Registry, folder: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`driftloop …` as a process of its own, against this world."""
    (folder / "access").write_text(world.s3.access_key)
    (folder / "secret").write_text(world.s3.secret_key)
    told = {
        "DRIFTLOOP_HOME": str(folder),
        "DRIFTLOOP_CLI_KAFKA_BOOTSTRAP": world.bootstrap,
        "DRIFTLOOP_CLI_S3_ENDPOINT": world.s3.endpoint,
        "DRIFTLOOP_CLI_S3_ACCESS_KEY_FILE": str(folder / "access"),
        "DRIFTLOOP_CLI_S3_SECRET_KEY_FILE": str(folder / "secret"),
        "DRIFTLOOP_CLI_REGISTRY_URL": str(running.client.base_url).rstrip("/"),
    }

    def driftloop(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).with_name("driftloop")), *arguments]
        return subprocess.run(command, env=os.environ | told, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    return driftloop
