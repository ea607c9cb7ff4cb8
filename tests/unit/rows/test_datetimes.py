"""A time as a feature: RFC 3339 in JSON, a timestamp in Arrow, one moment whichever way it came, and numbers made of it."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.contracts.headers import ARROW, CONTENT_TYPE
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import InvalidMessage
from driftloop.lake.parquet import conformed, encode_file
from driftloop.ports import Record
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.limits import EARLIEST, LATEST
from driftloop.rows.numbers import as_numbers, input_column
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import TIME, lake_schema, request_schema
from driftloop.rows.stored_columns import later_column, stored_as

DUE = Feature(name="due", type="datetime", required=False)
SCHEMA = StreamSchema(stream="s", features=(DUE, Feature(name="amount", type="number")), target=Target(name="late", type="boolean"))
DECODER = RequestDecoder(SCHEMA)
START = datetime(2026, 5, 1, 8, tzinfo=UTC)
ROW = {"event_id": "a", "event_time": "2026-05-01T00:00:00Z", "entity": "k", "amount": 1.0}


def message(value: bytes, *, arrow: bool = False) -> Record:
    return Record("s.requests", 0, 0, 0, None, value, ((CONTENT_TYPE, ARROW.encode()),) if arrow else ())


def decoded(due: object) -> datetime | None:
    found: datetime | None = DECODER.decode(message(msgspec.json.encode(ROW | {"due": due}))).rows.column("due")[0].as_py()
    return found


def arrow_batch(column: pa.Array) -> Record:
    rows = pa.table({"event_id": ["a"], "event_time": pa.array([START], TIME), "due": column, "amount": [1.0]})
    return message(encode_table(rows), arrow=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T08:00:00Z", START),
        ("2026-05-01T10:00:00+02:00", START),
        ("2026-04-30T22:30:00-09:30", START),
        ("2026-05-01t08:00:00z", START),
        ("2026-05-01 08:00:00Z", START),
        ("2026-05-01T08:00:00.5Z", START + timedelta(milliseconds=500)),
        ("2026-05-01T08:00:00.000001Z", START + timedelta(microseconds=1)),
        ("1969-12-31T23:59:59Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_moment_is_the_same_in_every_offset_with_and_without_a_fraction(text: str | None, moment: datetime | None) -> None:
    assert decoded(text) == moment


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "2026-05-01T08:00:00",
            "field 'due': a time without its offset from UTC: send RFC 3339 with an offset, such as 2026-05-01T08",
        ),
        ("2026-05-01", "field 'due': not a time: send RFC 3339 with an offset, such as 2026-05-01T08:00:00Z or 2026-05-01T10:00:00+02:00"),
        ("1 May", "field 'due': not a time: send RFC 3339"),
        (1_777_622_400, "field 'due': expected a time (RFC 3339 with an offset, such as 2026-05-01T08:00:00Z) or null, got a whole number"),
        ("0001-01-01T00:00:00+14:00", "field 'due' is not between the years 1 and 9999"),
        ("9999-12-31T23:59:59-14:00", "field 'due' is not between the years 1 and 9999"),
    ],
)
def test_what_is_no_moment_is_refused_and_the_row_beside_it_is_kept(value: object, said: str) -> None:
    good, bad = (msgspec.json.encode(ROW | {"due": due}) for due in ("2026-05-01T08:00:00Z", value))
    found = DECODER.decode_batch([good, bad], [None, None])
    assert found.accepted == [0]
    [(at, reason)] = found.rejected
    assert (at, reason[: len(said)]) == (1, said)


def test_a_column_of_timestamps_is_taken_and_may_be_absent() -> None:
    assert DECODER.decode(arrow_batch(pa.array([START], TIME))).rows.column("due")[0].as_py() == START
    without = pa.table({"event_id": ["a"], "event_time": pa.array([START], TIME), "amount": [1.0]})
    assert DECODER.decode(message(encode_table(without), arrow=True)).rows.column("due").null_count == 1


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([START]).cast(pa.timestamp("ms", tz="UTC")), r"'due' is timestamp\[ms, tz=UTC\], expected timestamp\[us, tz=UTC\]"),
        (pa.array([0]).cast(pa.timestamp("us")), r"'due' is timestamp\[us\], expected timestamp\[us, tz=UTC\]"),
        (pa.array(["2026-05-01T08:00:00Z"]), "'due' is string, expected timestamp"),
        (pa.array([2**62]).cast(TIME), "'due' is not between the years"),
        (pa.array([-(2**62)]).cast(TIME), "'due' is not between the years"),
    ],
)
def test_another_kind_of_time_is_refused_with_what_to_send(column: pa.Array, said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        DECODER.decode(arrow_batch(column))


moments = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(lambda t: t.replace(tzinfo=UTC))


@settings(deadline=None)
@given(moments, st.integers(-14 * 60, 14 * 60))
def test_parts_are_those_of_the_calendar_in_utc(moment: datetime, offset_minutes: int) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    rows = DECODER.decode(message(msgspec.json.encode(ROW | {"due": moment.astimezone(zone)}))).rows
    got = {name: input_column(rows, f"due.{name}")[0].as_py() for name in ("year", "month", "day", "hour", "minute", "second")}
    assert got == {name: float(getattr(moment, name)) for name in got}
    assert input_column(rows, "due.weekday")[0].as_py() == moment.weekday()
    assert input_column(rows, "due.day_of_year")[0].as_py() == moment.timetuple().tm_yday
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    assert as_numbers(input_column(rows, "due"))[0].as_py() == pytest.approx(seconds, abs=1e-4)
    assert input_column(rows, "due.epoch_days")[0].as_py() == pytest.approx(seconds / 86_400)


def test_parts_of_a_missing_time_are_missing() -> None:
    rows = pa.table({"due": pa.array([None, START], TIME)})
    for part in ("weekday", "hour", "epoch_days"):
        column = input_column(rows, f"due.{part}")
        assert (column.type, column.null_count) == (pa.float64(), 1)


def test_a_file_of_the_lake_keeps_every_microsecond_and_says_the_bounds_of_its_event_times_alone() -> None:
    times = [START + timedelta(microseconds=n * 1_000_003) for n in range(5)] + [None]
    columns = {f.name: pa.array([None] * 6, f.type) for f in lake_schema(SCHEMA, "inferences")}
    columns |= {
        "event_id": pa.array([f"e{n}" for n in range(6)]),
        "event_time": pa.array([*times[:5], START], TIME),
        "due": pa.array(times, TIME),
    }
    columns |= {"scored_at": columns["event_time"], "partition": pa.array([0] * 6, pa.int32()), "offset": pa.array(range(6))}
    rows = pa.table(columns, schema=lake_schema(SCHEMA, "inferences"))
    file = encode_file(rows, topic_id="t", partition=0, first_offset=0)
    assert conformed(pa.parquet.read_table(pa.BufferReader(file.data)), rows.schema).column("due").to_pylist() == times
    stats = msgspec.json.decode(file.stats)
    assert (stats["minValues"]["event_time"], stats["nullCount"]["event_time"]) == ("2026-05-01T08:00:00.000000Z", 0)
    assert stats["maxValues"]["event_time"] == "2026-05-01T08:00:04.000012Z"
    assert "due" not in stats["minValues"] | stats["maxValues"] | stats["nullCount"]


def test_a_feature_that_became_a_time_has_a_column_of_its_own() -> None:
    due, columns = request_schema(SCHEMA).field("due"), pa.schema([pa.field("due", pa.string())])
    assert stored_as(due, columns) is None
    later = later_column(due)
    assert later.name == "due__datetime"
    assert stored_as(due, columns.append(later)) == "due__datetime"
    assert later_column(pa.field("event_time", TIME)) is None
