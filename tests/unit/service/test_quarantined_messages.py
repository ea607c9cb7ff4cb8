"""What goes to quarantine comes back as it was: bytes, key and headers, beside why and from where."""

import pytest

from driftloop.adapters.memory import MemoryBroker, MemoryStore
from driftloop.contracts.headers import Headers
from driftloop.ports import Record
from driftloop.service.quarantine import (
    MAX_REASON_CHARACTERS,
    NULL_VALUE,
    ORIGIN_TOPIC,
    REASON,
    STORED,
    read_quarantined,
    send_to_quarantine,
)

HEADERS: Headers = (("content-type", b"application/json"), ("content-type", b"\xff"), ("", b""))
PLACE = b'{"key":"quarantine/s/%s","sha256":"%s","size":1}' % (b"a" * 64, b"a" * 64)

ELSEWHERE = PLACE.replace(b"quarantine/s", b"projects/s")  # which whoever shows rejected messages may read, too
OTHER_BYTES = PLACE.replace(b"a" * 64, b"b" * 64, 1)


def through_quarantine(record: Record, reason: str = "broken"):
    broker = MemoryBroker()
    broker.create_topic("q")
    send_to_quarantine(broker.producer(), "q", record, reason, MemoryStore())
    (stored,) = broker.records("q")
    return stored, read_quarantined(stored)


@pytest.mark.parametrize("value", [b"{", b"", b"\x00\xff", None])
@pytest.mark.parametrize("key", [b"k", b"\xff", None])
def test_bytes_key_and_headers_come_back_as_they_were(value: bytes | None, key: bytes | None) -> None:
    record = Record("s.labels", 3, 77, 0, key, value, HEADERS)
    _, found = through_quarantine(record)
    assert (found.record.value, found.record.key, found.record.headers) == (value, key, HEADERS)
    assert (found.reason, found.topic, found.partition, found.offset) == ("broken", "s.labels", 3, 77)


@pytest.mark.parametrize("name", [REASON, ORIGIN_TOPIC, NULL_VALUE, STORED])
def test_a_message_that_comes_with_headers_of_our_names_comes_back_with_them(name: str) -> None:
    record = Record("s.labels", 3, 77, 0, b"k", b"{", ((name, PLACE), ("", b"")))
    _, found = through_quarantine(record)
    assert found.record == record._replace(topic="q", partition=0, offset=0, timestamp_ms=found.record.timestamp_ms)
    assert (found.reason, found.topic, found.offset, found.stored) == ("broken", "s.labels", 77, None)


@pytest.mark.parametrize(
    "place", [b'{"x":' + b"[" * 100_000, b'{"size":' + b"1" * 5000 + b"}", b"\xff", b"null", PLACE[:-1], ELSEWHERE, OTHER_BYTES]
)
def test_a_place_that_cannot_be_read_or_is_none_of_quarantines_is_none(place: bytes) -> None:
    found = read_quarantined(Record("q", 0, 0, 0, None, b"x", ((REASON, b"why"), (STORED, place))))
    assert (found.record.value, found.reason, found.stored) == (b"x", "why", None)


def test_a_message_with_neither_key_nor_value_is_sent_as_one_that_kafka_takes() -> None:
    stored, _ = through_quarantine(Record("s.labels", 0, 0, 0, None, None, ()))
    assert stored.value == b""


def test_a_reason_of_any_length_and_letters_leaves_room_for_the_message() -> None:
    stored, found = through_quarantine(Record("s.labels", 0, 0, 0, None, b"x", ()), "\ud800" + "y" * 10_000)
    assert found.reason == "?" + "y" * (MAX_REASON_CHARACTERS - 1)
    assert sum(len(value) for _, value in stored.headers) < 2 * MAX_REASON_CHARACTERS
