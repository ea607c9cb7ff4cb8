"""Topics, serializers and a schema registry that are not ours, from the producers to the lake."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as TheirProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from tests.integration.existing_topics.world import AVRO, TheirWorld, console_producer, project_text
from tests.integration.predictor.harness import eventually
from tests.support.ingest_process import IngestProcess
from tests.support.schema_registry import RunningRegistry
from tests.support.servers import s3_settings

from driftloop.client import Client
from driftloop.errors import ObjectNotFound, UserError
from driftloop.installation import Installation
from driftloop.lake.table import LakeTable
from driftloop.local.s3 import S3Access

PLACED = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def theirs(kafka_bootstrap: str, s3: S3Access, unique: str, tmp_path: Path) -> Iterator[TheirWorld]:
    made = TheirWorld(kafka_bootstrap, s3, f"t{unique}", tmp_path)
    with closing(made.producer):
        yield made


def order(n: int) -> dict[str, Any]:
    return {
        "order": {"id": n, "placed_at": PLACED + timedelta(seconds=n)},
        "customer": f"c{n % 3}" if n % 4 else None,
        "route": {"km": n / 2 if n % 5 else None, "stops": n % 3, "via": ["Ghent"] * (n % 3)},
        "night": n % 2 == 0,
        "carrier": {"code": "AB"[n % 2]},
        "note": None,
    }


def send_avro(world: TheirWorld, registry: RunningRegistry, orders: list[Any], schema: str = AVRO) -> None:
    """As their services do; bytes are sent as they are."""
    topic = world.project.requests_topic
    producer = TheirProducer({"bootstrap.servers": world.bootstrap})
    with SchemaRegistryClient({"url": registry.url}) as client:
        serialize = AvroSerializer(client, schema)
        for n, value in enumerate(orders):
            data = value if isinstance(value, bytes) else serialize(value, SerializationContext(topic, MessageField.VALUE))
            producer.produce(topic, data, key=f"k{n}".encode())
    assert producer.flush(60) == 0


def test_orders_in_avro_are_scored_and_what_is_wrong_is_quarantined_with_a_sentence(theirs: TheirWorld, registry: RunningRegistry) -> None:
    send_avro(theirs, registry, [order(n) for n in range(60)])
    changed = AVRO.replace('"name": "km", "type": ["null", "double"]', '"name": "km", "type": ["null", "string"]')
    without = AVRO.replace('"name": "night"', '"name": "dark"')
    either = AVRO.replace('"name": "km", "type": ["null", "double"]', '"name": "km", "type": ["null", "double", "string"]')
    subject = f"{theirs.name}-orders.v1-value"
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.set_compatibility(subject, "NONE")
    send_avro(theirs, registry, [order(60) | {"route": {"km": "far", "stops": 1, "via": []}}], changed)
    send_avro(theirs, registry, [{("dark" if k == "night" else k): v for k, v in order(61).items()}], without)
    send_avro(theirs, registry, [order(62) | {"route": {"km": "far", "stops": 1, "via": []}}, order(63)], either)
    send_avro(theirs, registry, [b'{"order": 1}', b"\0\0\1\x86\xa0nothing", b"\0\0"])
    with theirs.predictor(SCHEMA_REGISTRY_URL=registry.url):
        eventually("all orders to be accounted for", lambda: sum(theirs.account().next_offsets.values()) == 67)
    account = theirs.account()
    rows = sorted(account.rows.to_pylist(), key=lambda row: int(row["event_id"]))
    assert [row["event_id"] for row in rows] == [*map(str, range(60)), "63"]
    assert [row["distance"] for row in rows[:3]] == [None, 500.0, 1000.0]
    assert rows[1] | {"event_time": PLACED + timedelta(seconds=1), "entity": "c1", "stops": 1, "night": False, "carrier": "B"} == rows[1]
    assert rows[4]["entity"] == "k4"  # the record's key, where the order names no customer
    said = "\n".join(sorted(rejected.reason for rejected in theirs.quarantined()))
    for sentence in (
        "field 'route.km': expected a number, found null or text in the schema",
        "no field 'night' in the schema, where night was looked for; it has carrier, customer, dark, note, order, route",
        "field 'route.km': expected a number, found text",
        "the magic byte is missing: the value begins with 7b 22 6f 72 64",
        f"schema 100000 is not known to the schema registry at {registry.url}",
        "2 bytes are too few",
    ):
        assert sentence in said


def test_a_topic_is_looked_at_and_a_projects_mapping_checked(
    theirs: TheirWorld, registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    send_avro(theirs, registry, [order(n) for n in range(20)])
    send_avro(theirs, registry, [b"text"])
    s3 = s3_settings(theirs.s3)
    client = Client(stack=Installation(tmp_path, theirs.bootstrap, s3, registry_url="http://127.0.0.1:1", services={}))
    monkeypatch.setenv("DRIFTLOOP_CLI_SCHEMA_REGISTRY_URL", registry.url)
    found = client.topic_contents(theirs.project.requests_topic)
    assert (found.partitions, found.records, found.formats) == (2, 21, {"avro": 20})
    assert list(found.problems.values()) == [1]
    facts = {fact.path: fact for fact in found.fields}
    assert facts["order.placed_at"].earliest == PLACED
    assert (facts["route.km"].types, facts["route.km"].missing, facts["order.id"].own) == (("a number",), 0.2, True)
    assert found.proposed is not None
    proposed = tomllib.loads(found.proposed)
    assert proposed["stream"]["requests"] == {
        "topic": theirs.project.requests_topic,
        "format": "avro",
        "event_id": "order.id",
        "event_time": "order.placed_at",
        "entity": "@key",
    }
    assert proposed["features"]["km"] == {"type": "number", "path": "route.km", "required": False}
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "driftloop.toml").write_text(project_text(theirs.name))
    (folder / "pipeline.py").write_text("def build(): ...\n")
    requests, labels = client.topic_checks(folder)
    assert (requests.records, requests.readable, requests.missing["distance"]) == (21, 20, 0.2)
    assert list(requests.rejected.values()) == [1]
    assert "the topic holds no records yet" in labels.warnings
    monkeypatch.delenv("DRIFTLOOP_CLI_SCHEMA_REGISTRY_URL")
    with pytest.raises(UserError, match="are in avro: set SCHEMA_REGISTRY_URL to their schema registry"):
        client.topic_checks(folder)


def test_labels_of_the_java_console_producer_reach_the_lake(theirs: TheirWorld) -> None:
    outcomes = [{"order_id": n, "placed_at": PLACED.isoformat(), "outcome": {"late": n % 2 == 0}} for n in range(20)]
    wrong = '{"order_id": 20, "placed_at": "yesterday", "outcome": {"late": true}}'
    console_producer(theirs.bootstrap, theirs.project.labels_topic, [*map(json.dumps, outcomes), wrong])
    with IngestProcess(theirs, "ingest-0", {}):
        table = eventually("the labels to be in the lake", lambda: labels_in(theirs))
    rows = sorted(table.read().to_pylist(), key=lambda row: int(row["event_id"]))
    assert [(row["event_id"], row["label"]) for row in rows] == [(str(n), n % 2 == 0) for n in range(20)]
    assert {row["event_time"] for row in rows} == {PLACED}
    assert all(PLACED < row["label_time"] <= datetime.now(UTC) for row in rows)  # the record's, where nothing names another
    [rejected] = theirs.quarantined()
    assert rejected.reason == "field 'placed_at': 'yesterday' is not an RFC 3339 time"


def labels_in(world: TheirWorld) -> LakeTable | None:
    """As soon as all that was sent is in the lake."""
    with suppress(ObjectNotFound):
        table = LakeTable.open(s3_settings(world.s3), world.name, "labels")
        return table if table.read().num_rows == 20 else None
    return None
