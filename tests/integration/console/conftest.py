"""A real broker, store and registry, a record that the loop would have written, and a console over them: one for all tests here."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import numpy as np
import pytest
from bench.console_events import about, decision, drift, loop
from tests.integration.registry.registry_process import Registry, World, make_world, registry
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.redrive.messages import truth
from tests.unit.registry.commands import measured

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.contracts.events import DecisionMade, DriftReported, Event, IncidentReported
from driftloop.contracts.topics import DECISIONS, DRIFT_REPORTS, INCIDENTS, PERFORMANCE_REPORTS, quarantine, stream_topics
from driftloop.ports import Record
from driftloop.service.quarantine import send_to_quarantine

EVIL = "<script>window.broken=1</script><img src=x onerror=window.broken=1>"
WINDOWS = 120


class Console(NamedTuple):
    client: httpx.Client
    process: "subprocess.Popen[bytes]"
    world: World
    registry: Registry

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def world(kafka_bootstrap, s3, tmp_path_factory) -> Iterator[tuple[World, Registry]]:
    """A model with two versions, the first champion, and WINDOWS windows told of it."""
    made = make_world(kafka_bootstrap, s3, f"console-{uuid.uuid4().hex[:10]}")
    with registry(made, tmp_path_factory.mktemp("registry")) as running:
        assert running.client.post("/projects", json=made.project_body()).status_code == 201
        made.train(f"{made.model}-r1")
        assert made.decision(f"{made.model}-r1").accepted
        made.train(f"{made.model}-r2", epoch=1, measured=measured(against=1, gain_lower=-0.1))
        assert not made.decision(f"{made.model}-r2").accepted
        publish(made)
        reject(made)
        yield made, running


def reject(world: World) -> None:
    """Three labels that nobody can read, and a request that is hostile, in quarantine."""
    create_topics(world.bootstrap, stream_topics(world.model, 1))
    producer = Producer(world.bootstrap, client_id="test-ingest")
    topic, labels = quarantine(world.model), f"{world.model}.labels"
    for n in range(3):
        value = msgspec.json.encode(truth(n, label="yes", note=EVIL))
        send_to_quarantine(producer, topic, Record(labels, 0, n, 0, b"a", value, ()), f"field 'label': no boolean {EVIL}", world.store)
    hostile = Record(f"{world.model}.requests", 0, 0, 0, b"\xff\x00", b"\xff\x00" + EVIL.encode(), ((EVIL, EVIL.encode()),))
    send_to_quarantine(producer, topic, hostile, "not UTF-8", world.store)
    producer.flush()
    producer.close()


def publish(world: World) -> None:
    evil = drift(WINDOWS, 1, 2, np.random.default_rng(0), world.model)
    evil = msgspec.structs.replace(evil, features=evil.features | {EVIL: evil.features["f0"]})
    told = [*loop(WINDOWS, 6, 1, model=world.model), (evil, about(evil, f"{world.model}-evil-drift", WINDOWS))]
    said = msgspec.structs.replace(decision(50, world.model, reason=EVIL), window=evil.window)
    producer = Producer(world.bootstrap, client_id="test-monitor")
    publisher = Publisher(producer, source="driftloop/monitor")
    for event, envelope in [*told, (said, about(said, f"{world.model}-evil-decision", WINDOWS))]:
        publisher.publish(topic_of(event), event, key=world.model, id=envelope.id)
    producer.close()


def topic_of(event: Event) -> str:
    match event:
        case DriftReported():
            return DRIFT_REPORTS
        case IncidentReported():
            return INCIDENTS
        case DecisionMade():
            return DECISIONS
        case _:
            return PERFORMANCE_REPORTS


@pytest.fixture(scope="module")
def console(world, tmp_path_factory) -> Iterator[Console]:
    made, running = world
    with started(made, running, tmp_path_factory.mktemp("console"), str(running.client.base_url)) as found:
        yield found


@contextmanager
def started(world: World, running: Registry, home: Path, registry_url: str) -> Iterator[Console]:
    (home / "access").write_text(world.s3.access_key)
    (home / "secret").write_text(world.s3.secret_key)
    port = free_port()
    settings = {
        "INSTANCE": "console-0",
        "KAFKA_BOOTSTRAP": world.bootstrap,
        "S3_ENDPOINT": world.s3.endpoint,
        "S3_BUCKET": world.s3.bucket,
        "S3_REGION": world.s3.region,
        "S3_ACCESS_KEY_FILE": str(home / "access"),
        "S3_SECRET_KEY_FILE": str(home / "secret"),
        "REGISTRY_URL": registry_url,
        "HTTP_PORT": str(port),
        "STATE_DIR": str(home),
    }
    log = home / "log"
    with log.open("ab") as out:
        environment = os.environ | {f"DRIFTLOOP_CONSOLE_{name}": value for name, value in settings.items()}
        process = subprocess.Popen([sys.executable, "-m", "driftloop_console"], env=environment, stdout=out, stderr=out)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
        try:
            wait_until(lambda: _ready(client, process, log), "the console to be ready")
            yield Console(client, process, world, running)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, f"the console ended with {process.returncode}:\n{log.read_text()[-3000:]}"
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False
