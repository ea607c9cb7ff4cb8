"""Requests that are somebody else's: the rows that become of them, and the sentence for each that becomes none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.rows.existing.samples import (
    AVRO,
    ROW,
    STREAM,
    Registry,
    avro_bytes,
    changed,
    framed,
    mapping,
    record,
    registry,
)

from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.existing_topics import Format, Source, TopicMapping
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import Schema, Schemas
from driftloop.rows.existing import avro_schema, protobuf
from driftloop.rows.existing.labels import ExistingLabels
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import label_schema

PLACED = datetime(2026, 3, 1, tzinfo=UTC)
EXPECTED = {"event_id": "17", "event_time": PLACED, "entity": "c1", "km": 3.5, "stops": 2, "night": True, "carrier": "B", "promised": None}


def decoder(schemas: Schemas | None = None, given: TopicMapping | None = None) -> ExistingRequests:
    return ExistingRequests(STREAM, given or mapping(), schemas or registry())


def sentence(value: bytes | None, schemas: Schemas | None = None, given: TopicMapping | None = None) -> str:
    """Why one record between two good ones is refused; the others are not."""
    good = framed(avro_bytes(ROW)) if (given or mapping()).format == "avro" else json.dumps(ROW | {"order": AT}).encode()
    schemas = schemas or registry()
    found = decoder(schemas, given).decode_records([record(good, 0), record(value, 1), record(good, 2)])
    assert found.accepted == [0, 2]
    assert found.rows.num_rows == 2
    [(place, why)] = found.rejected
    assert place == 1
    return why


AT = {"id": 17, "placed_at": "2026-03-01T00:00:00Z"}


def test_a_record_in_avro_becomes_a_row() -> None:
    [row] = decoder().decode(record(framed(avro_bytes(ROW)))).rows.to_pylist()
    assert row == EXPECTED


@pytest.mark.parametrize("format", ["json", "json-schema"])
def test_json_says_the_same(format: Format) -> None:
    value = json.dumps(ROW | {"order": AT}).encode()
    found = ExistingRequests(STREAM, mapping(format), None).decode(record(value if format == "json" else framed(value)))
    assert found.rows.to_pylist() == [EXPECTED]


def test_our_own_rows_are_what_a_mapping_of_the_same_names_gives() -> None:
    row = {"event_id": "1", "event_time": "2026-03-01T00:00:00Z", "entity": "e", "km": 1.5, "stops": 1, "night": False, "carrier": "A"}
    value = json.dumps(row | {"promised": None}).encode()
    same = mapping("json", **{name: name for name in EXPECTED})
    found = ExistingRequests(STREAM, same, None).decode(record(value)).rows
    assert found.equals(RequestDecoder(STREAM).decode(record(value)).rows)


def test_rows_of_several_schemas_keep_their_order() -> None:
    schemas = registry()
    schemas.add(8, changed("order.id", "string"))
    old, new = (framed(avro_bytes(ROW)), framed(avro_bytes(ROW | {"order": ROW["order"] | {"id": "x"}}, changed("order.id", "string")), 8))
    found = decoder(schemas).decode_records([record(new), record(old), record(new), record(old)])
    assert found.rows.column("event_id").to_pylist() == ["x", "17", "x", "17"]
    assert schemas.asked == [8, 7]  # once each


def test_key_timestamp_and_place_stand_in_for_what_a_record_does_not_say() -> None:
    given = mapping("json", event_id="@coordinates", event_time="@timestamp", entity="@key")
    [row] = ExistingRequests(STREAM, given, None).decode(record(json.dumps(ROW).encode(), 12)).rows.to_pylist()
    assert (row["event_id"], row["entity"]) == ("orders.v1-3-12", "k")
    assert row["event_time"] == datetime(2026, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_an_entity_that_is_null_is_the_records_key_or_else_the_event() -> None:
    value = framed(avro_bytes(ROW | {"customer": None}))
    found = decoder().decode_records([record(value, key=b"k7"), record(value, key=None), record(value, key=b"\xff")])
    assert found.rows.column("entity").to_pylist() == ["k7", "17", "17"]


def test_a_number_is_converted_as_declared() -> None:
    given = mapping(km=Source(path="route.km", scale=1.8, offset=32.0))
    assert decoder(given=given).decode(record(framed(avro_bytes(ROW)))).rows.column("km").to_pylist() == [3.5 * 1.8 + 32]


@pytest.mark.parametrize(
    ("kind", "value", "format", "expected"),
    [
        ("long", 1_772_323_200, "unix", PLACED),
        ("double", 1_772_323_200.25, "unix", PLACED.replace(microsecond=250_000)),
        ("string", "2026-03-01", "date", PLACED),
        ("string", "2026-03-01T01:00:00+01:00", None, PLACED),
        ({"type": "long", "logicalType": "timestamp-micros"}, 1_772_323_200_000_000, None, PLACED),
        ({"type": "int", "logicalType": "date"}, 20_513, None, PLACED),
    ],
)
def test_times_are_read_as_the_schema_or_the_project_says(kind: Any, value: Any, format: Any, expected: datetime) -> None:
    schema = changed("promised", kind)
    given = mapping(promised=Source(path="promised", time_format=format))
    found = decoder(registry(schema), given).decode(record(framed(avro_bytes(ROW | {"promised": value}, schema))))
    assert found.rows.column("promised").to_pylist() == [expected]


def test_maps_and_decimals_are_read() -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
    schema = changed("route", {"type": "map", "values": ["null", decimal]})
    schema["fields"][2]["type"] = {"type": "map", "values": ["null", decimal]}
    from decimal import Decimal

    value = avro_bytes(ROW | {"route": {"km": Decimal("12.34"), "other": None}}, schema)
    given = mapping(stops=Source(path="route.stops"))
    stream = STREAM.__class__(stream="shop", features=STREAM.features[:1], target=STREAM.target)
    found = ExistingRequests(stream, given, registry(schema)).decode(record(framed(value)))
    assert found.rows.column("km").to_pylist() == [12.34]


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("route.km", "string", "field 'route.km': expected a number, found text in the schema"),
        (
            "route.km",
            ["null", "string", "boolean"],
            "field 'route.km': expected a number, found null or text or true or false in the schema",
        ),
        ("route", "string", "no field 'route.km' in the schema, where km was looked for"),
        ("night", "int", "field 'night': expected true or false, found a whole number in the schema"),
        ("carrier", {"type": "array", "items": "string"}, "field 'carrier': expected text, found array in the schema"),
    ],
)
def test_a_schema_that_changes_a_type_is_refused_with_path_expected_and_found(path: str, kind: Any, said: str) -> None:
    schemas = registry()
    schemas.add(9, changed(path, kind))
    assert sentence(framed(b"anything", 9), schemas) == f"schema 9: {said}"


def test_a_union_where_a_number_should_be_is_refused_where_it_holds_something_else() -> None:
    either = changed("route.km", ["null", "double", "string"])
    schemas = registry()
    schemas.add(9, either)
    far, near = (framed(avro_bytes(ROW | {"route": {"km": km, "stops": 1}}, either), 9) for km in ("far", 2.5))
    assert sentence(far, schemas) == "field 'route.km': expected a number, found text"
    assert decoder(schemas).decode(record(near)).rows.column("km").to_pylist() == [2.5]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null value (a tombstone), which holds no row"),
        (b"", "0 bytes are too few"),
        (b'{"order": 1}', "the magic byte is missing: the value begins with 7b 22 6f 72 64"),
        (framed(avro_bytes(ROW)[:-3]), "the value does not fit its schema: it ends too early"),
        (framed(avro_bytes(ROW) + b"\0"), "the value does not fit its schema: it ends before or behind the end of the value"),
        (framed(avro_bytes(ROW), 99), "schema 99 is not known"),
        (framed(avro_bytes(ROW | {"route": {"km": float("nan"), "stops": 1}})), "field 'route.km' holds NaN or infinity"),
    ],
)
def test_a_broken_record_costs_its_neighbours_nothing(value: bytes | None, said: str) -> None:
    assert said in sentence(value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"route": {"km": "far", "stops": 1}}, "field 'route.km': expected a number, found text"),
        ({"route": {"km": True, "stops": 1}}, "field 'route.km': expected a number, found true or false"),
        ({"route": {"stops": 1}}, "no field 'route.km', where km was looked for; there are stops"),
        ({"route": 5}, "field 'route.km': 'route' is a whole number, not an object"),
        ({"order": AT | {"id": None}}, "field 'order.id' is null, and a row needs its event_id"),
        ({"order": AT | {"placed_at": 5}}, "field 'order.placed_at': 5 is a number: say how it is a time, time_format = one of"),
        ({"order": AT | {"placed_at": "soon"}}, "field 'order.placed_at': 'soon' is not an RFC 3339 time"),
    ],
)
def test_json_that_does_not_fit_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    value = json.dumps(ROW | {"order": AT} | change).encode()
    assert said in sentence(value, given=mapping("json"))


def test_what_is_in_an_object_that_is_null_is_missing() -> None:
    value = json.dumps(ROW | {"order": AT, "route": None}).encode()
    found = decoder(given=mapping("json")).decode(record(value)).rows.to_pylist()
    assert (found[0]["km"], found[0]["stops"]) == (None, None)


def test_a_registry_that_does_not_answer_is_waited_for() -> None:
    class Away:
        def schema(self, id: int) -> Schema:
            raise TransientError("away")

    with pytest.raises(TransientError, match="away"):
        decoder(Away()).decode_records([record(framed(avro_bytes(ROW)))])


def test_a_format_that_needs_a_registry_is_refused_without_one() -> None:
    with pytest.raises(ConfigurationError, match="set SCHEMA_REGISTRY_URL"):
        ExistingRequests(STREAM, mapping(), None)


def test_a_schema_of_another_kind_is_refused() -> None:
    schemas = Registry()
    schemas.add(7, "{}", "JSON")
    found = decoder(schemas).decode_records([record(framed(b"{}"))])
    assert found.rejected == [(0, "schema 7: it is JSON, and the project says format = 'avro'")]
    assert found.rows.num_rows == 0


def test_labels_are_read_the_same_way_and_dated_by_their_record() -> None:
    given = TopicMapping(
        topic="outcomes",
        format="json",
        columns={
            "event_id": Source(path="id"),
            "event_time": Source(path="at", time_format="unix_ms"),
            "label": Source(path="outcome.late"),
        },
    )
    value = json.dumps({"id": 17, "at": 1_772_323_200_000, "outcome": {"late": True}}).encode()
    found = ExistingLabels(STREAM, given, None).decode_batch([record(value, 5), record(b"{}", 6)])
    assert found.rows.schema.equals(label_schema(STREAM))
    [row] = found.rows.to_pylist()
    assert row == {"event_id": "17", "event_time": PLACED, "label": True, "label_time": PLACED.replace(microsecond=500_000)}
    assert (found.offsets, [why for _, why in found.rejected]) == ([5], ["no field 'id', where event_id was looked for"])


@pytest.mark.parametrize("fits", [avro_schema._FITS, protobuf._FITS])
def test_every_column_type_has_types_that_are_taken_for_it(fits: dict[str, frozenset[str]]) -> None:
    assert fits.keys() == {*COLUMN_TYPES, "id"}


def test_the_sample_is_of_the_schema() -> None:
    assert avro_bytes(ROW, AVRO) == avro_bytes(ROW)
