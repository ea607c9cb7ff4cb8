"""Protobuf and JSON Schema as Confluent's serializers write them, which register what they write with the registry by themselves."""

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer as TheirProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from tests.integration.existing_topics.world import TheirWorld
from tests.integration.predictor.harness import eventually
from tests.support.schema_registry import RunningRegistry

from driftloop.local.s3 import S3Access
from driftloop.ports import Schema
from driftloop.rows.existing.protobuf import message_class

PROTOBUF = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Heartbeat { int64 n = 1; }
message OrderPlaced {
  message Order { int64 id = 1; google.protobuf.Timestamp placed_at = 2; }
  message Route { optional double km = 1; int32 stops = 2; }
  message Carrier { string code = 1; }
  Order order = 1;
  optional string customer = 2;
  Route route = 3;
  bool night = 4;
  Carrier carrier = 5;
  optional string note = 6;
}
"""
JSON_SCHEMA = """
{"$schema": "http://json-schema.org/draft-07/schema#", "title": "OrderPlaced", "type": "object", "required": ["order", "night"],
 "properties": {"order": {"type": "object", "properties": {"id": {"type": "integer"}, "placed_at": {"type": "string"}}},
  "customer": {"type": ["string", "null"]}, "note": {"type": ["string", "null"]}, "night": {"type": "boolean"},
  "route": {"type": "object", "properties": {"km": {"type": ["number", "null"]}, "stops": {"type": "integer"}}},
  "carrier": {"type": "object", "properties": {"code": {"type": "string"}}}}}
"""
SECONDS = 1_772_323_200
Serialize = Callable[[Any, SerializationContext], bytes]


def as_json(client: SchemaRegistryClient) -> tuple[Serialize, Callable[[int], Any]]:
    def order(n: int) -> Any:
        placed = datetime.fromtimestamp(SECONDS + n, UTC).isoformat()
        route = {"km": n / 2 if n % 5 else None, "stops": n % 3}
        return {
            "order": {"id": n, "placed_at": placed},
            "customer": f"c{n % 3}",
            "route": route,
            "night": n % 2 == 0,
            "carrier": {"code": "AB"[n % 2]},
        }

    return JSONSerializer(JSON_SCHEMA, client), order


def as_protobuf(client: SchemaRegistryClient) -> tuple[Serialize, Callable[[int], Any]]:
    of = message_class(Schema(0, "PROTOBUF", PROTOBUF), (1,))

    def order(n: int) -> Any:
        made = of(customer=f"c{n % 3}", night=n % 2 == 0)
        made.order.id, made.order.placed_at.seconds = n, SECONDS + n
        made.route.stops, made.carrier.code = n % 3, "AB"[n % 2]
        if n % 5:
            made.route.km = n / 2
        return made

    return ProtobufSerializer(of, client, {"use.deprecated.format": False}), order


def send(bootstrap: str, topic: str, values: Iterable[bytes]) -> None:
    producer = TheirProducer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(60) == 0


@pytest.mark.parametrize(("format", "serializer"), [("protobuf", as_protobuf), ("json-schema", as_json)])
def test_orders_of_confluents_serializers_are_scored(
    format: str,
    serializer: Callable[[SchemaRegistryClient], tuple[Serialize, Callable[[int], Any]]],
    kafka_bootstrap: str,
    s3: S3Access,
    unique: str,
    tmp_path: Path,
    registry: RunningRegistry,
) -> None:
    theirs = TheirWorld(kafka_bootstrap, s3, f"s{unique}", tmp_path, format=format)
    topic = theirs.project.requests_topic
    with closing(theirs.producer), SchemaRegistryClient({"url": registry.url}) as client:
        serialize, order = serializer(client)
        where = SerializationContext(topic, MessageField.VALUE)
        send(kafka_bootstrap, topic, [serialize(order(n), where) for n in range(30)])
        send(kafka_bootstrap, topic, [json.dumps({"order": {"id": 30}}).encode()])  # nobody's serializer
        with theirs.predictor(SCHEMA_REGISTRY_URL=registry.url):
            eventually("all orders to be accounted for", lambda: sum(theirs.account().next_offsets.values()) == 31)
        rows = sorted(theirs.account().rows.to_pylist(), key=lambda row: int(row["event_id"]))
        assert [row["event_id"] for row in rows] == [*map(str, range(30))]
        expected = {"event_time": datetime.fromtimestamp(SECONDS + 1, UTC), "entity": "c1", "distance": 500.0, "stops": 1, "night": False}
        assert rows[1] | expected | {"carrier": "B", "note": None} == rows[1]
        assert [row["distance"] for row in rows[4:6]] == [2000.0, None]
        [rejected] = theirs.quarantined()
        assert "the magic byte is missing" in rejected.reason
