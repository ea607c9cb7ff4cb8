"""Strangers' messages: our own rows with a column dropped, added, retyped or filled with extremes, then perhaps damaged."""

from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import strategies as st
from tests.support.traffic import START, inference_rows, several_schema, small_schema
from tests.unit.history import facts

from driftloop.contracts.codec import EVENT_TYPES, encode_event
from driftloop.contracts.commands import MoveAlias
from driftloop.contracts.headers import (
    ARROW,
    CONTENT_TYPE,
    REQUEST_POSITION,
    REQUEST_RANGE,
    WATERMARK,
    Headers,
    RequestRange,
    range_header,
)
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import CLASS_PROBABILITIES, label_schema, request_schema
from driftloop.service.quarantine import NULL_VALUE, ORIGIN_OFFSET, STORED

SCHEMA, SEVERAL = small_schema("s"), several_schema("s")
ROW = {"event_id": "a", "event_time": START, "entity": "k", "amount": 1.5, "kind": "x", "night": True}
LABEL = {"event_id": "a", "event_time": START, "label": True, "label_time": START}

_TEXTS = st.sampled_from(["", "a", "k" * 513, "é" * 256, "\U0010ffff"])
_COLUMNS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.float64(): st.none() | st.floats(),
    pa.float32(): st.none() | st.floats(width=32),
    pa.int64(): st.none() | st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.bool_(): st.none() | st.booleans(),
    pa.string(): st.none() | _TEXTS,
    pa.large_string(): st.none() | _TEXTS,
    pa.dictionary(pa.int8(), pa.string()): st.none() | _TEXTS,
    pa.binary(): st.binary(max_size=4),
    pa.null(): st.none(),
    pa.list_(pa.float64()): st.lists(st.floats(), max_size=2),
    CLASS_PROBABILITIES.type: st.none()
    | st.lists(st.tuples(_TEXTS, st.none() | st.sampled_from([0.0, 0.5, 1.0]) | st.floats()), max_size=2),
}
for _unit in ("s", "ms", "us", "ns"):
    for _zone in ("UTC", "+00:00", None):
        _COLUMNS[pa.timestamp(_unit, tz=_zone)] = st.none() | st.integers(-(2**63), 2**63 - 1)
_NAMES = [
    "event_id",
    "event_time",
    "entity",
    "amount",
    "kind",
    "night",
    "extra",
    "other",
    "score",
    "label",
    "request_offset",
    "recalibration_epoch",
    "version_rule",
    "probabilities",
    "",
]
_SOUND = [
    pa.Table.from_pylist([ROW] * 3, schema=request_schema(SCHEMA)),
    pa.Table.from_pylist([LABEL] * 3, schema=label_schema(SCHEMA)),
    inference_rows(SCHEMA, 0, 0, 3),
    inference_rows(SEVERAL, 0, 0, 3),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    table = draw(st.sampled_from(_SOUND))
    table = table.slice(0, draw(st.integers(0, table.num_rows)))
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(list(_COLUMNS)))
        values = draw(st.lists(_COLUMNS[kind], min_size=table.num_rows, max_size=table.num_rows))
        column = pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
        name = draw(st.sampled_from(_NAMES))
        if name in table.column_names and draw(st.booleans()):
            table = table.set_column(table.column_names.index(name), pa.field(name, kind), column)
        else:
            table = table.append_column(pa.field(name, kind), column)
    return table.remove_column(draw(st.integers(0, table.num_columns - 1))) if draw(st.integers(0, 3)) == 0 else table


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    data = bytearray(draw(sound))
    for _ in range(draw(st.integers(0, 2)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=2),
    max_leaves=4,
)
_TIMES = st.sampled_from(
    ["2026-05-01T08:00:00Z", "2026-05-01T08:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "today", "2026-05-01"]
)
_CHANGES = st.dictionaries(st.sampled_from([*_NAMES, "label_time"]), _JSON | _TIMES, max_size=2)
_JSON_ROWS = st.builds(lambda row, more: msgspec.json.encode(row | more), st.sampled_from([ROW, LABEL]), _CHANGES)
# Too deep, or a number of too many digits, at the beginning of an object or under a known name.
_MONSTERS = st.builds(
    lambda begin, fill, times: begin + fill * times,
    st.sampled_from([b"", b'{"x":', b'{"amount":', b'{"label":']),
    st.sampled_from([b"[", b"1", b'{"a":']),
    st.sampled_from([10, 5000, 50_000]),
).map(lambda data: data + b"}")
VALUES = st.none() | st.binary(max_size=40) | _MONSTERS | damaged(_JSON_ROWS) | damaged(tables().map(encode_table))

_RANGES = st.builds(
    lambda start, more, end, partition: msgspec.json.encode(
        {"topic_id": "t", "partition": partition, "start": start, "end": end, "quarantined": more}
    ),
    st.sampled_from([0, -1, 3, 2**63, 2**64 - 1]),
    st.lists(st.integers(-1, 4), max_size=2),
    st.sampled_from([0, 3, 2**31, 2**63, 2**64 - 1]),
    st.sampled_from([0, 0, 0, 1, -1]),
)
_POSITIONS = st.builds(
    lambda partition, offset: msgspec.json.encode({"topic_id": "t", "partition": partition, "offset": offset}),
    st.sampled_from([0, -1, 2**63]),
    st.sampled_from([0, 3, -1, 2**63, 2**64 - 1]),
)
_PLACES = st.builds(
    lambda key, size: msgspec.json.encode({"key": key, "sha256": "a" * 64, "size": size}),
    st.sampled_from(["quarantine/s/" + "a" * 64, "models/" + "a" * 64, "quarantine/../" + "a" * 64, ""]),
    st.sampled_from([0, -1, 2**64 - 1]),
)
_QUARANTINE = (STORED, NULL_VALUE, ORIGIN_OFFSET)
_HEADER_VALUES = st.one_of(
    st.binary(max_size=20),
    _TIMES.map(str.encode),
    _MONSTERS,
    damaged(_RANGES | _POSITIONS | _PLACES),
    st.sampled_from([b"Application/vnd.Apache.arrow.stream ; charset=x", b"application/json", b"", b'{"topic_id":"\xff"}']),
)
HEADERS = st.lists(
    st.tuples(st.sampled_from([CONTENT_TYPE, WATERMARK, REQUEST_RANGE, REQUEST_POSITION, *_QUARANTINE, "other", "\udcff"]), _HEADER_VALUES)
    | st.just((CONTENT_TYPE, ARROW.encode()))
    | st.just(range_header(RequestRange(topic_id="t", partition=0, start=0, end=3))),
    max_size=3,
).map(tuple)

_BODIES = st.builds(
    lambda form, rows: msgspec.json.encode({form: {"columns": list(ROW), "data": rows} if form == "dataframe_split" else rows}),
    st.sampled_from(["dataframe_split", "dataframe_records", "instances"]),
    st.lists(_JSON | st.just(ROW) | st.just(list(ROW.values())), max_size=3),
)
_TOLD = (
    facts.requested(),
    facts.started("r"),
    facts.completed("r"),
    facts.decided(0, accepted=True),
    facts.performance(0),
    facts.drift(0),
    facts.reproduced(1),
    MoveAlias(command_id="c", at=START, actor="a", reason="", model="m", alias="champion", version=1, expected_epoch=0),
)


@st.composite
def _events(draw: st.DrawFn) -> tuple[bytes | None, Headers]:
    """Facts and commands with any field changed to anything, and perhaps a header too."""
    event = draw(st.sampled_from(_TOLD))
    value, headers = encode_event(event, facts.about(event, "e"))
    fields = msgspec.json.decode(value)
    changes = {name: draw(_JSON | _TIMES) for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=2))}
    more = draw(st.lists(st.tuples(st.sampled_from([h[0] for h in headers]), _HEADER_VALUES), max_size=1))
    kinds = [("ce_type", draw(st.sampled_from(sorted(EVENT_TYPES))).encode())] if draw(st.integers(0, 5)) == 0 else []
    return draw(damaged(st.just(msgspec.json.encode(fields | changes))) | _MONSTERS), (*headers, *kinds, *more)


MESSAGES = st.tuples(VALUES | damaged(_BODIES), HEADERS) | _events()
