"""Headers of messages that strangers may have written."""

from datetime import UTC, datetime

import pytest

from driftloop.contracts.headers import (
    REQUEST_RANGE,
    WATERMARK,
    RequestRange,
    format_time,
    header,
    parse_time,
    range_header,
    request_range,
    watermark,
)
from driftloop.errors import InvalidMessage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_last_of_several_headers_of_a_name_counts() -> None:
    assert header((("a", b"1"), ("b", b"2"), ("a", b"3")), "a") == b"3"
    assert header((("b", b"2"),), "a") is None


def test_a_range_comes_back_and_the_last_one_counts() -> None:
    first, last = (RequestRange(topic_id="t", partition=0, start=n, end=n + 1, quarantined=(n,)) for n in (1, 2))
    assert request_range((range_header(first), range_header(last))) == last
    assert request_range(()) is None


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b"[" * 1000, b'{"topic_id":"t","partition":0,"start":"a","end":1}'])
def test_a_range_that_cannot_be_read_is_an_invalid_message(value: bytes) -> None:
    with pytest.raises(InvalidMessage, match=REQUEST_RANGE):
        request_range(((REQUEST_RANGE, value),))


@pytest.mark.parametrize("text", ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00.000000+00:00"])
def test_a_time_with_an_offset_is_read_to_utc(text: str) -> None:
    assert parse_time(text) == NOON
    assert parse_time(format_time(NOON)) == NOON


@pytest.mark.parametrize("text", ["2026-01-01T12:00:00", "2026-01-01", "noon", ""])
def test_a_time_without_an_offset_is_refused_and_not_taken_for_local_time(text: str) -> None:
    with pytest.raises(InvalidMessage):
        parse_time(text)


@pytest.mark.parametrize("value", [b"tomorrow", b"\xff", b"2026-01-01T12:00:00"])
def test_a_watermark_that_cannot_be_read_is_an_invalid_message(value: bytes) -> None:
    with pytest.raises(InvalidMessage):
        watermark(((WATERMARK, value),))
