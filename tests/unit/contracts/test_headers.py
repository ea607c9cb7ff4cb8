"""Headers are strangers' bytes: whatever they hold, a decoder returns or says that the message is invalid."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftloop.contracts.codec import EVENT_TYPES, decode_event
from driftloop.contracts.headers import REQUEST_RANGE, WATERMARK, parse_time, request_range, watermark
from driftloop.contracts.values import EARLIEST, LATEST, OffsetRange, Window
from driftloop.errors import InvalidMessage

BEYOND = ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"]

zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=zones).map(lambda t: t.isoformat().encode()) | st.sampled_from([t.encode() for t in BEYOND])
some_bytes = st.binary(max_size=80) | times | st.sampled_from([b"null", b"[]", b"{}", b"1e999", b"[" * 5000])
without_deadline = settings(deadline=None)


@pytest.mark.parametrize("text", BEYOND)
def test_a_time_that_some_zone_cannot_show_is_invalid(text: str) -> None:
    with pytest.raises(InvalidMessage, match="is not between the years 1 and 9999"):
        parse_time(text)


def test_times_up_to_the_bounds_are_taken() -> None:
    for time in (EARLIEST, LATEST, datetime(2024, 2, 29, tzinfo=UTC)):
        assert parse_time(time.isoformat()) == time


@without_deadline
@given(some_bytes)
@example(BEYOND[0].encode())
@example(BEYOND[1].encode())
def test_a_watermark_of_any_bytes_is_a_time_in_the_calendar_or_invalid(value: bytes) -> None:
    with suppress(InvalidMessage):
        mark = watermark(((WATERMARK, value),))
        assert mark is not None
        assert EARLIEST <= mark <= LATEST


whole = st.integers() | st.integers(-(2**70), 2**70)
ranges = st.builds(
    lambda start, end, partition: (
        b'{"topic_id":"t","partition":%d,"start":%d,"end":%d,"quarantined":[%d]}' % (partition, start, end, start)
    ),
    whole,
    whole,
    whole,
)


@without_deadline
@given(some_bytes | ranges)
@example(b'{"topic_id":"t","partition":0,"start":0,"end":' + str(2**70).encode() + b"}")
@example(b'{"topic_id":"t","partition":-1,"start":0,"end":1}')
def test_a_request_range_of_any_bytes_holds_offsets_as_kafka_has_them_or_is_invalid(value: bytes) -> None:
    with suppress(InvalidMessage):
        found = request_range(((REQUEST_RANGE, value),))
        assert found is not None
        assert all(0 <= n < 2**63 for n in (found.partition, found.start, found.end, *found.quarantined))


headers = st.lists(
    st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_time", "ce_source", "ce_subject", "traceparent", "x"]), some_bytes), max_size=8
)


@without_deadline
@given(headers, st.none() | some_bytes, st.sampled_from(sorted(EVENT_TYPES)), st.booleans())
@example([("ce_time", BEYOND[0].encode())], b"{}", "driftloop.move-alias.v1", True)
def test_an_event_of_any_bytes_is_decoded_or_invalid(
    found: list[tuple[str, bytes]], value: bytes | None, kind: str, well_named: bool
) -> None:
    known = {"ce_id": b"i", "ce_type": kind.encode(), "ce_source": b"s", "ce_subject": b"x", "ce_time": b"2024-01-01T00:00:00Z"}
    with suppress(InvalidMessage):
        decode_event(value, (*(known if well_named else {}).items(), *found))


def test_offsets_and_windows_that_nothing_behind_can_hold_are_no_values() -> None:
    with pytest.raises(msgspec.ValidationError, match="end"):
        msgspec.json.decode(b'{"topic":"t","topic_id":"i","partition":0,"start":0,"end":%d}' % 2**70, type=OffsetRange)
    with pytest.raises(msgspec.ValidationError, match="between the years 1 and 9999"):
        msgspec.json.decode(b'{"start":"0001-01-01T00:00:00+01:00","end":"2024-01-01T00:00:00Z"}', type=Window)
