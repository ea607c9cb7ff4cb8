"""Whatever bytes and headers a stranger sends, each decoder takes the message or says InvalidMessage, and nothing else."""

import contextlib
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.traffic import inference_rows
from tests.unit.rows.decoders import DECODERS, OWN, STORED, Decoder
from tests.unit.rows.strangers import LABEL, MESSAGES, ROW, SCHEMA

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, REQUEST_RANGE, WATERMARK, Headers, RequestRange, is_arrow, range_header
from driftloop.contracts.schema import Feature, StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.feature_columns import UnknownFeatures
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import inference_schema


def record(value: bytes | None, headers: Headers = (), *, key: bytes | None = None, timestamp_ms: int = 0) -> Record:
    return Record("s.topic", 0, 0, timestamp_ms, key, value, headers)


def content_type(text: str) -> tuple[str, bytes]:
    return CONTENT_TYPE, text.encode()


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(deadline=None, max_examples=200)
@given(message=MESSAGES, key=st.none() | st.binary(max_size=4), timestamp_ms=st.integers(-(2**63), 2**63 - 1))
def test_any_message_is_taken_or_invalid(
    decoder: Decoder, message: tuple[bytes | None, Headers], key: bytes | None, timestamp_ms: int
) -> None:
    with contextlib.suppress(InvalidMessage):
        decoder.decode(record(*message, key=key, timestamp_ms=timestamp_ms))


@settings(deadline=None, max_examples=200)
@given(message=MESSAGES)
def test_what_one_reader_of_inferences_refuses_the_other_refuses(message: tuple[bytes | None, Headers]) -> None:
    """Ingest reads into the columns of a table, the monitor does not. Only a feature without a column is refused by ingest alone,
    and waits there for the project that has it."""
    said = {}
    for reader, stored in (("ingest", STORED), ("monitor", None)):
        try:
            InferenceDecoder(SCHEMA, stored).decode(record(*message))
        except UnknownFeatures:
            continue
        except InvalidMessage as exc:
            said[reader] = str(exc)
        else:
            said[reader] = "taken"
    assert len(set(said.values())) < 2


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ((WATERMARK, b"0001-01-01T00:00:00+14:00"), "not between the years 1 and 9999"),
        ((WATERMARK, b"9999-12-31T23:59:59-14:00"), "not between the years 1 and 9999"),
        ((REQUEST_RANGE, b'{"topic_id":"\xff","partition":0,"start":0,"end":0}'), REQUEST_RANGE),
        ((REQUEST_RANGE, b'{"x":' + b"[" * 100_000), "nested too deep"),
        ((REQUEST_RANGE, b'{"topic_id":"t","partition":0,"start":0,"end":' + b"1" * 5000 + b"}"), REQUEST_RANGE),
        (
            (REQUEST_RANGE, b'{"topic_id":"t","partition":0,"start":9223372036854775808,"end":9223372036854775809}'),
            "<= 9223372036854775807",
        ),
        ((REQUEST_RANGE, b'{"topic_id":"t","partition":0,"start":5,"end":3}'), "no range of request"),
    ],
)
def test_a_header_that_cannot_be_read_is_said(header: tuple[str, bytes], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        InferenceDecoder(SCHEMA).decode(record(None, (header,)))


@pytest.mark.parametrize(
    "text",
    [
        ARROW,
        "Application/vnd.apache.arrow.stream",
        "APPLICATION/VND.APACHE.ARROW.STREAM",
        f" {ARROW} ",
        f"{ARROW};charset=x",
        f"{ARROW} ; v=1",
    ],
)
def test_arrow_is_known_by_its_media_type_however_it_is_written(text: str) -> None:
    headers = (content_type(text),)
    assert is_arrow(headers)
    rows = pa.Table.from_pylist([ROW], schema=OWN["requests"])
    truths = pa.Table.from_pylist([LABEL], schema=OWN["labels"])
    assert RequestDecoder(SCHEMA).decode(record(encode_table(rows), headers)).rows.equals(rows)
    assert LabelDecoder(SCHEMA).decode(record(encode_table(truths), headers)).equals(truths)


@pytest.mark.parametrize("headers", [(), (content_type("application/json"),), (content_type(f"{ARROW}s"),), (content_type("x; " + ARROW),)])
def test_anything_else_is_json(headers: Headers) -> None:
    assert not is_arrow(headers)
    assert RequestDecoder(SCHEMA).decode(record(msgspec.json.encode(ROW), headers)).rows.num_rows == 1
    assert LabelDecoder(SCHEMA).decode(record(msgspec.json.encode(LABEL), headers)).num_rows == 1


@pytest.mark.parametrize("sent", [-(2**63), 2**63 - 1, 253_402_300_799_000])
@pytest.mark.parametrize("arrow", [True, False])
def test_a_time_that_stands_in_for_the_labels_own_is_of_the_calendar_too(sent: int, arrow: bool) -> None:
    label = {name: value for name, value in LABEL.items() if name != "label_time"}
    rows = pa.Table.from_pylist([label], schema=OWN["labels"].remove(3))
    value, headers = (encode_table(rows), (content_type(ARROW),)) if arrow else (msgspec.json.encode(label), ())
    assert LabelDecoder(SCHEMA).decode(record(value, headers, timestamp_ms=0)).num_rows == 1
    with pytest.raises(InvalidMessage, match=r"outside of the calendar|'label_time' is not between"):
        LabelDecoder(SCHEMA).decode(record(value, headers, timestamp_ms=sent))


@pytest.mark.parametrize("stored", [None, STORED])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event_time": datetime(1, 1, 1, tzinfo=UTC)}, "'event_time' is not between the years"),
        ({"scored_at": datetime(9999, 12, 31, tzinfo=UTC)}, "'scored_at' is not between the years"),
        ({"event_id": "x" * 513}, "'event_id' is 513 bytes long; at most 512"),
        ({"event_id": ""}, "'event_id' is empty"),
        ({"request_offset": 3}, "outside of"),
        ({"request_offset": None}, "names no request offset"),
    ],
)
def test_all_readers_of_inferences_refuse_the_same(stored: pa.Schema | None, changes: dict[str, object], said: str) -> None:
    row = inference_rows(SCHEMA, 0, 0, 1).to_pylist()[0] | changes
    rows = pa.Table.from_pylist([row], schema=OWN["inferences"])
    claimed = range_header(RequestRange(topic_id="t", partition=0, start=0, end=1))
    with pytest.raises(InvalidMessage, match=said):
        InferenceDecoder(SCHEMA, stored).decode(record(encode_table(rows), (claimed,)))


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.float32()])
def test_a_feature_of_a_type_that_no_schema_declares_is_unknown_to_all_readers(kind: pa.DataType) -> None:
    rows = inference_rows(SCHEMA, 0, 0, 1)
    at = rows.schema.get_field_index("kind")
    other = rows.set_column(at, pa.field("kind", kind), pa.array([None], kind))
    claimed = range_header(RequestRange(topic_id="t", partition=0, start=0, end=1))
    for stored in (None, STORED):
        with pytest.raises(InvalidMessage, match=r"does not have: kind \("):
            InferenceDecoder(SCHEMA, stored).decode(record(encode_table(other), (claimed,)))


def test_without_a_table_features_come_as_their_writer_knows_them() -> None:
    newer = StreamSchema(stream="s", features=(Feature(name="extra", type="integer"), SCHEMA.features[0]), target=SCHEMA.target)
    rows = inference_rows(SCHEMA, 0, 0, 3).append_column("extra", pa.array([1, 2, 3])).select(inference_schema(newer).names)
    claimed = range_header(RequestRange(topic_id="t", partition=0, start=0, end=3))
    found = InferenceDecoder(SCHEMA).decode(record(encode_table(rows), (claimed,))).rows
    assert found is not None
    assert found.column("extra").to_pylist() == [1, 2, 3]
    assert "kind" not in found.column_names


def test_a_watermark_alone_brings_no_rows() -> None:
    found = InferenceDecoder(SCHEMA).decode(record(None, ((WATERMARK, b"2026-05-01T10:00:00+02:00"),)))
    assert found == (None, None, datetime(2026, 5, 1, 8, tzinfo=UTC))
