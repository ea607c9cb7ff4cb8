"""A stream whose requests are somebody else's, and records as they write them."""

import io
import json
from typing import Any

import fastavro

from driftloop.contracts.existing_topics import Format, Source, TopicMapping
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import InvalidMessage
from driftloop.ports import Record, Schema

STREAM = StreamSchema(
    stream="shop",
    features=(
        Feature(name="km", type="number"),
        Feature(name="stops", type="integer"),
        Feature(name="night", type="boolean"),
        Feature(name="carrier", type="category"),
        Feature(name="promised", type="datetime", required=False),
    ),
    target=Target(name="late", type="boolean"),
)
PATHS = {"event_id": "order.id", "event_time": "order.placed_at", "entity": "customer", "km": "route.km", "stops": "route.stops"}
PATHS |= {name: name for name in ("night", "carrier", "promised")}

TIMESTAMP = {"type": "long", "logicalType": "timestamp-millis"}
AVRO: dict[str, Any] = {
    "type": "record",
    "name": "Placed",
    "fields": [
        {
            "name": "order",
            "type": {
                "type": "record",
                "name": "Order",
                "fields": [{"name": "id", "type": "long"}, {"name": "placed_at", "type": TIMESTAMP}],
            },
        },
        {"name": "customer", "type": ["null", "string"]},
        {
            "name": "route",
            "type": {
                "type": "record",
                "name": "Route",
                "fields": [{"name": "km", "type": ["null", "double"]}, {"name": "stops", "type": ["null", "int"]}],
            },
        },
        {"name": "night", "type": "boolean"},
        {"name": "carrier", "type": {"type": "enum", "name": "Carrier", "symbols": ["A", "B"]}},
        {"name": "promised", "type": ["null", TIMESTAMP]},
    ],
}
ROW: dict[str, Any] = {
    "order": {"id": 17, "placed_at": 1_772_323_200_000},
    "customer": "c1",
    "route": {"km": 3.5, "stops": 2},
    "night": True,
    "carrier": "B",
    "promised": None,
}


class Registry:
    """Keeps ``ports.Schemas``: what a test puts into it."""

    def __init__(self, **kinds: Any) -> None:
        self.schemas: dict[int, Schema] = {}
        self.asked: list[int] = []

    def add(self, id: int, schema: Any, kind: str = "AVRO") -> None:
        self.schemas[id] = Schema(id, kind, schema if isinstance(schema, str) else json.dumps(schema))

    def schema(self, id: int) -> Schema:
        self.asked.append(id)
        if id not in self.schemas:
            raise InvalidMessage(f"schema {id} is not known")
        return self.schemas[id]


def registry(schema: Any = None, id: int = 7) -> Registry:
    made = Registry()
    made.add(id, AVRO if schema is None else schema)
    return made


def mapping(format: Format = "avro", **paths: str | Source) -> TopicMapping:
    given: dict[str, str | Source] = PATHS | paths
    columns = {name: path if isinstance(path, Source) else Source(path=path) for name, path in given.items()}
    return TopicMapping(topic="orders.v1", format=format, columns=columns)


def avro_bytes(value: Any, schema: Any = None) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(AVRO if schema is None else schema))), value)
    return out.getvalue()


def framed(body: bytes, id: int = 7) -> bytes:
    return b"\0" + id.to_bytes(4, "big") + body


def record(value: bytes | None, offset: int = 0, key: bytes | None = b"k", timestamp_ms: int = 1_772_323_200_500) -> Record:
    return Record("orders.v1", 3, offset, timestamp_ms, key, value, ())


def changed(path: str, kind: Any) -> dict[str, Any]:
    """The schema with another type at ``path``, whose fields lie in records."""
    made: dict[str, Any] = json.loads(json.dumps(AVRO))
    at = made
    for step in path.split(".")[:-1]:
        at = next(field["type"] for field in at["fields"] if field["name"] == step)
    next(field for field in at["fields"] if field["name"] == path.rpartition(".")[2])["type"] = kind
    return made
