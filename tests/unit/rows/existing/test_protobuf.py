"""Protobuf with the schema's text, as registries have it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import DoubleValue
from tests.unit.rows.existing.samples import STREAM, Registry, framed, mapping, record

from driftloop.errors import InvalidMessage
from driftloop.ports import NamedSchema, Schema
from driftloop.rows.existing.protobuf import message_class
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.rows.existing.wire import frame

MONEY = 'syntax = "proto3"; package shop.common; message Ids { int64 id = 1; google.protobuf.Timestamp placed_at = 2; }'
MONEY = MONEY.replace("package", 'import "google/protobuf/timestamp.proto"; package')
ORDER = """
syntax = "proto3";
package shop;
import "common/ids.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Other { string name = 1; message Inside { string id = 1; } }
message Placed {
  enum Carrier { NONE = 0; B = 1; }
  message Route { google.protobuf.DoubleValue km = 1; optional int32 stops = 2; }
  shop.common.Ids order = 1;
  optional string customer = 2;
  Route route = 3;
  bool night = 4;
  Carrier carrier = 5;
  google.protobuf.Timestamp promised = 6;
  repeated string tags = 7;
}
"""
SCHEMA = Schema(7, "PROTOBUF", ORDER, (NamedSchema("common/ids.proto", MONEY),))


@pytest.fixture(scope="module")
def placed() -> Any:
    return message_class(SCHEMA, (1,))


@pytest.fixture(scope="module")
def decoder() -> ExistingRequests:
    schemas = Registry()
    schemas.schemas[7] = SCHEMA
    return ExistingRequests(STREAM, mapping("protobuf"), schemas)


SECOND = b"\2\2"  # one index, the second message of the file


def test_a_message_becomes_a_row(placed: Any, decoder: ExistingRequests) -> None:
    sent = placed(customer="c1", night=True, carrier=1)
    sent.order.id, sent.order.placed_at.seconds = 17, 1_772_323_200
    sent.route.km.value, sent.route.stops = 3.5, 2
    bare = placed()
    bare.order.id = 18
    bare.order.placed_at.seconds = 1_772_323_200
    found = decoder.decode_records([record(framed(SECOND + each.SerializeToString())) for each in (sent, bare)])
    assert found.rejected == []
    full, empty = found.rows.to_pylist()
    placed_at = datetime(2026, 3, 1, tzinfo=UTC)
    assert full == {
        "event_id": "17",
        "event_time": placed_at,
        "entity": "c1",
        "km": 3.5,
        "stops": 2,
        "night": True,
        "carrier": "B",
        "promised": None,
    }
    assert empty == {
        "event_id": "18",
        "event_time": placed_at,
        "entity": "k",
        "km": None,
        "stops": None,
        "night": False,
        "carrier": "NONE",
        "promised": None,
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (SECOND + b"\xff\xff", "the value does not fit its schema"),
        (b"\0", "schema 7: no field 'order' in the schema, where event_id was looked for; shop.Other has name"),
        (b"\2\x12", "schema 7: the schema has no message 9, which the value says that it is"),
        (b"\xff\xff\xff\xff\xff\xff", "broken message indexes"),
        (b"", "broken message indexes"),
    ],
)
def test_what_is_no_such_message_is_refused_in_words(body: bytes, said: str, decoder: ExistingRequests) -> None:
    [(_, why)] = decoder.decode_records([record(framed(body))]).rejected
    assert said in why


def test_a_type_that_does_not_fit_is_refused() -> None:
    schemas = Registry()
    schemas.add(8, ORDER.replace("bool night = 4", "string night = 4").replace('import "common/ids.proto";', ""), "PROTOBUF")
    schemas.schemas[8] = schemas.schemas[8]._replace(references=SCHEMA.references, text=ORDER.replace("bool night", "repeated bool night"))
    [(_, why)] = ExistingRequests(STREAM, mapping("protobuf"), schemas).decode_records([record(framed(SECOND, 8))]).rejected
    assert why == "schema 8: field 'night': expected true or false, found a list in the schema"


@pytest.mark.parametrize("text", ["syntax = ", "message A { string a = 1; } message A { string a = 1; }", json.dumps({"type": "string"})])
def test_what_protoc_refuses_is_no_schema(text: str) -> None:
    with pytest.raises(InvalidMessage, match="schema 9 is no Protobuf schema that protoc takes"):
        message_class(Schema(9, "PROTOBUF", text), (0,))


@pytest.mark.parametrize("name", ["../up.proto", "/etc/x.proto", "a/../../b.proto", "x.txt", ""])
def test_a_reference_stays_in_its_folder(name: str) -> None:
    with pytest.raises(InvalidMessage, match=r"which is no name of a \.proto file"):
        message_class(Schema(9, "PROTOBUF", ORDER, (NamedSchema(name, MONEY),)), (0,))


def test_well_known_types_are_the_ones_that_everybody_has(placed: Any) -> None:
    assert placed.DESCRIPTOR.fields_by_name["promised"].message_type.full_name == Timestamp.DESCRIPTOR.full_name
    assert DoubleValue.DESCRIPTOR.full_name == "google.protobuf.DoubleValue"


def serialized(file: Any) -> str:
    return base64.b64encode(file.serialized_pb).decode()


def test_a_schema_that_was_registered_serialized_is_the_same(placed: Any, decoder: ExistingRequests) -> None:
    file = placed.DESCRIPTOR.file
    references = tuple(NamedSchema(f.name, serialized(f)) for f in file.dependencies if f.name.startswith("common/"))
    schemas = Registry()
    schemas.schemas[7] = Schema(7, "PROTOBUF", serialized(file), references)
    schemas.schemas[8] = Schema(8, "PROTOBUF", serialized(file), SCHEMA.references)  # what it imports was registered as text
    sent = placed(customer="c1", night=True, carrier=1)
    sent.order.id, sent.order.placed_at.seconds = 17, 1_772_323_200
    data = SECOND + sent.SerializeToString()
    expected = decoder.decode_records([record(framed(data))]).rows
    found = ExistingRequests(STREAM, mapping("protobuf"), schemas).decode_records([record(framed(data)), record(framed(data, 8))])
    assert found.rejected == []
    assert found.rows.to_pylist() == expected.to_pylist() * 2


def test_a_serialized_schema_that_imports_what_the_registry_does_not_name_is_refused_in_words(placed: Any) -> None:
    with pytest.raises(InvalidMessage, match=r"schema 9: .*imports 'common/ids\.proto', and the schema registry names no such reference"):
        message_class(Schema(9, "PROTOBUF", serialized(placed.DESCRIPTOR.file)), (0,))


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\n\1a"])
def test_bytes_that_are_no_file_of_protobuf_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        message_class(Schema(9, "PROTOBUF", base64.b64encode(data).decode()), (0,))


def test_a_message_before_the_first_is_none() -> None:
    """Python would take the last one of the file for it."""
    with pytest.raises(InvalidMessage, match="broken message indexes: one is -1"):
        frame(b"\0\0\0\0\x01\x02\x01", indexed=True)
