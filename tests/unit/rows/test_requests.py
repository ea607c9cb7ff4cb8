"""JSON objects and Arrow batches to columns: what is missing, what is wrong, and that one bad row harms no other."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.predictor.samples import START, request, request_json, sample_project

from driftloop.contracts.headers import ARROW, CONTENT_TYPE
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.requests import RequestDecoder, RequestRows
from driftloop.rows.schemas import request_schema

SCHEMA = sample_project("rows").schema
DECODER = RequestDecoder(SCHEMA)


MIXED = [
    request_json(0),
    request_json(1, more="x"),
    request_json(2, more={"deep": [1]}, distance="far"),
    request_json(3, more="y")[:-1],
    request_json(4, more="é").replace("é".encode(), b"\xff"),
    b"[]",
    b"",
]


def only(value: bytes | None, key: bytes | None = None) -> dict[str, object]:
    decoded = DECODER.decode_batch([value], [key])
    assert decoded.rejected == []
    return dict(decoded.rows.to_pylist()[0])


def reason(value: bytes | None) -> str:
    ((_, why),) = DECODER.decode_batch([value], [None]).rejected
    return why


def test_a_row_becomes_typed_columns_with_its_time_in_utc() -> None:
    row = only(request_json(3, event_time="2026-03-01T02:00:00+02:00", stops=2, distance=7))
    assert row == request(3) | {"event_time": START, "stops": 2, "distance": 7.0, "note": None}


def test_null_is_missing_and_an_optional_field_may_be_absent() -> None:
    row = only(request_json(0, distance=None, stops=None, night=None, carrier=None))
    assert {name: row[name] for name in SCHEMA.feature_names} == dict.fromkeys(SCHEMA.feature_names)


@pytest.mark.parametrize(
    ("given_entity", "key", "expected"),
    [("k", b"key", "k"), (None, b"key", "key"), (None, None, "e0"), (None, b"\xff", "e0"), (None, b"", "e0"), (None, b"x" * 513, "e0")],
)
def test_the_message_key_stands_in_for_the_entity_and_the_event_id_for_the_key(given_entity, key, expected) -> None:
    assert only(request_json(0, entity=given_entity), key)["entity"] == expected


@pytest.mark.parametrize(
    ("text", "put", "expected"),
    [
        ('"distance": 0.0', '"distance": 1e999', "field 'distance': number out of range"),
        ('"distance": 0.0', '"distance": true', "field 'distance': expected a number or null, got true or false"),
        ('"stops": 0', '"stops": 9223372036854775808', "field 'stops'"),
        ('"stops": 0', '"stops": 1.0', "field 'stops': expected a whole number"),
        ('"event_id": "e0"', '"event_id": null', "field 'event_id': expected a string"),
        ('"event_id": "e0"', '"event": 1', "required field missing: 'event_id'"),
        ('"entity": "k0"', '"entity": ""', "field 'entity'"),
        ('"carrier": "A"', '"carrier": "\\ud800"', "broken JSON"),
        ("2026-03-01T00:00:00+00:00", "2026-03-01T00:00:00", "field 'event_time'"),
        ("2026-03-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "field 'event_time' is not between the years"),
        ("2026-03-01T00:00:00+00:00", "yesterday", "field 'event_time'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field_named(text: str, put: str, expected: str) -> None:
    row = json.dumps(request(0))
    assert text in row
    assert expected in reason(row.replace(text, put).encode())


def test_the_largest_and_smallest_integer_are_kept_exactly() -> None:
    assert [only(request_json(0, stops=n))["stops"] for n in (2**63 - 1, -(2**63))] == [2**63 - 1, -(2**63)]


def test_bad_rows_are_named_and_their_neighbours_kept_in_order() -> None:
    values = [request_json(0), b"{", request_json(2, colour="red"), None, request_json(4, event_id="x" * 513), request_json(5)]
    decoded = DECODER.decode_batch(values, [None] * 6)
    assert decoded.rows.column("event_id").to_pylist() == ["e0", "e2", "e5"]
    assert decoded.accepted == [0, 2, 5]
    assert [i for i, _ in decoded.rejected] == [1, 3, 4]
    assert decoded.unknown_field_rows == 1


def test_features_may_have_names_that_python_keeps_for_itself() -> None:
    schema = StreamSchema(
        stream="s",
        features=(Feature(name="class", type="number"), Feature(name="f0", type="number")),
        target=Target(name="y", type="number"),
    )
    row = b'{"event_id": "a", "event_time": "2026-03-01T00:00:00Z", "class": 1, "f0": 2}'
    found = RequestDecoder(schema).decode_batch([row], [None]).rows.to_pylist()[0]
    assert (found["class"], found["f0"]) == (1.0, 2.0)
    assert "'class'" in RequestDecoder(schema).decode_batch([row.replace(b'"class": 1', b'"class": "1"')], [None]).rejected[0][1]


def test_what_an_http_caller_leaves_out_is_filled_in() -> None:
    decoder = RequestDecoder(SCHEMA, generated=lambda: "made")
    row = {k: v for k, v in request(0).items() if k not in ("event_id", "event_time", "entity")}
    before = datetime.now(UTC)
    found = decoder.decode_batch([json.dumps(row).encode()], [None]).rows.to_pylist()[0]
    assert (found["event_id"], found["entity"]) == ("made", "made")
    assert before <= found["event_time"] <= datetime.now(UTC)


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_rows = st.dictionaries(st.sampled_from(["event_id", "event_time", "entity", *SCHEMA.feature_names, "other"]), _scalars)


@given(
    st.lists(st.binary(max_size=20) | st.builds(lambda n, changes: json.dumps(request(n) | changes).encode(), st.integers(0, 99), _rows))
)
def test_a_batch_gives_what_its_rows_give_one_by_one(values: list[bytes]) -> None:
    together = DECODER.decode_batch(values, [None] * len(values))
    alone = [DECODER.decode_batch([value], [None]) for value in values]
    assert together.rows.to_pylist() == [row for one in alone for row in one.rows.to_pylist()]
    assert [why for _, why in together.rejected] == [why for one in alone for _, why in one.rejected]
    assert sorted(together.accepted + [i for i, _ in together.rejected]) == list(range(len(values)))


@settings(deadline=None)
@given(st.lists(st.sampled_from(MIXED), min_size=1, max_size=70), st.sampled_from([0, 10, 63, 64, 200]))
def test_rows_are_the_same_where_all_of_before_had_fields_that_nobody_declared(values: list[bytes], before: int) -> None:
    """Then few of them are asked for such fields; only how many have them is not counted one by one."""
    decoder = RequestDecoder(SCHEMA)
    decoder.decode_batch([request_json(n, more="x") for n in range(before)], [None] * before)
    found, fresh = (d.decode_batch(values, [None] * len(values)) for d in (decoder, RequestDecoder(SCHEMA)))
    assert found[:3] == fresh[:3]


def test_fields_that_nobody_declared_are_asked_for_again_when_they_are_gone() -> None:
    decoder = RequestDecoder(SCHEMA)
    with_more, without = [request_json(n, more="x") for n in range(200)], [request_json(n) for n in range(200)]
    counted = [decoder.decode_batch(values, [None] * 200).unknown_field_rows for values in (with_more, with_more, without, without)]
    assert counted[:2] == [200, 200]
    assert counted[3] == 0


def decode_arrow(value: bytes, key: bytes | None = None) -> RequestRows:
    return DECODER.decode(Record("rows.requests", 0, 0, 0, key, value, ((CONTENT_TYPE, ARROW.encode()),)))


def arrow(**changes: object) -> bytes:
    return encode_table(pa.Table.from_pylist([request(0) | {"event_time": START} | changes], schema=request_schema(SCHEMA)))


def test_an_arrow_batch_takes_its_entities_from_the_key() -> None:
    assert decode_arrow(arrow(entity=None), b"key").rows.column("entity").to_pylist() == ["key"]
    assert decode_arrow(arrow(entity=None)).rows.column("entity").to_pylist() == ["e0"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"distance": float("nan")}, "'distance' holds NaN or infinity"),
        ({"distance": float("-inf")}, "'distance' holds NaN or infinity"),
        ({"event_id": ""}, "'event_id' is empty"),
        ({"event_id": "é" * 257}, "'event_id' is 514 bytes long"),
    ],
)
def test_an_arrow_batch_with_one_bad_row_is_refused_as_a_whole(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidMessage, match=expected):
        decode_arrow(arrow(**changes))


def test_arrow_times_that_no_calendar_holds_are_refused() -> None:
    table = pa.Table.from_pylist([request(0) | {"event_time": START}], schema=request_schema(SCHEMA))
    far = table.set_column(1, table.schema.field(1), pa.array([2**62], pa.int64()).cast(table.schema.field(1).type))
    with pytest.raises(InvalidMessage, match="'event_time' is not between the years 1 and 9999"):
        decode_arrow(encode_table(far))


def test_arrow_columns_of_a_newer_producer_are_ignored_and_counted() -> None:
    table = pa.Table.from_pylist([request(0) | {"event_time": START}], schema=request_schema(SCHEMA))
    found = decode_arrow(encode_table(table.append_column("newer", pa.array([1]))))
    assert found.rows.column_names == table.column_names
    assert found.unknown_field_rows == 1
    assert decode_arrow(encode_table(table)).unknown_field_rows == 0
