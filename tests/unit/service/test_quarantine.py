"""A rejected message of any size comes back as it was, and not at all when its bytes were changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.adapters.kafka_records import HeaderKey
from driftloop.adapters.memory import MemoryBroker, MemoryStore
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import Record
from driftloop.service.quarantine import (
    MAX_INLINE_BYTES,
    REASON,
    STORED,
    Quarantined,
    StoredMessage,
    fetched,
    read_quarantined,
    send_to_quarantine,
)

TOPIC = "shop.quarantine"
ODD = HeaderKey(b"\xff\x00".decode("utf-8", "surrogateescape"))


def rejected(value: bytes | None = b"x", key: bytes | None = b"k", headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record("shop.labels", 2, 7, 0, key, value, headers)


class Bench:
    def __init__(self) -> None:
        self.broker, self.store = MemoryBroker(), MemoryStore()
        self.broker.create_topic(TOPIC)

    def through(self, record: Record, reason: str = "why") -> Quarantined:
        send_to_quarantine(self.broker.producer(), TOPIC, record, reason, self.store)
        return read_quarantined(self.broker.records(TOPIC)[-1])


BIG = {
    "value": rejected(b"v" * (12 * 1024 * 1024), headers=((ODD, b"\xfe"), ("trace", b""))),
    "key": rejected(b"v", key=b"k" * (9 * 1024 * 1024)),
    "headers": rejected(None, headers=(("h", b"x" * (5 * 1024 * 1024)), ("h", b"y" * (5 * 1024 * 1024)))),
}


@pytest.mark.parametrize("record", BIG.values(), ids=BIG)
def test_a_message_that_does_not_fit_is_stored_whole_and_named_with_its_digest(record: Record) -> None:
    bench = Bench()
    found = bench.through(record)
    (message,) = bench.broker.records(TOPIC)
    assert len(message.value or b"") + sum(len(k) + len(v) for k, v in message.headers) < 10_000
    assert (found.topic, found.partition, found.offset, found.reason) == ("shop.labels", 2, 7, "why")
    assert found.stored is not None
    (stored,) = bench.store.list("quarantine/shop/")
    assert (stored.key, stored.size) == (found.stored.key, found.stored.size)
    whole = fetched(found, bench.store).record
    assert (whole.value, whole.key, whole.headers) == (record.value, record.key, record.headers)
    assert [k.encode("utf-8", "surrogateescape") for k, _ in whole.headers] == [
        k.encode("utf-8", "surrogateescape") for k, _ in record.headers
    ]


def test_bytes_that_are_not_those_that_were_rejected_are_not_shown() -> None:
    bench = Bench()
    found = bench.through(BIG["value"])
    assert found.stored is not None
    bench.store.put(found.stored.key, bench.store.get(found.stored.key)[:-1] + b"w")
    with pytest.raises(IntegrityError, match="are not the ones that were named"):
        fetched(found, bench.store)
    bench.store.delete(found.stored.key)
    with pytest.raises(ObjectNotFound):
        fetched(found, bench.store)


def test_what_fits_needs_no_store() -> None:
    bench = Bench()
    record = rejected(b"v" * (MAX_INLINE_BYTES - 1000))
    found = bench.through(record)
    assert found.stored is None
    assert fetched(found, bench.store).record.value == record.value
    assert list(bench.store.list("")) == []


some = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=8) | st.just(ODD), st.binary(max_size=8)), max_size=3)


@settings(deadline=None)
@given(some, some, headers.map(tuple))
def test_value_key_and_headers_come_back(value: bytes | None, key: bytes | None, given_headers: tuple[tuple[str, bytes], ...]) -> None:
    kept = tuple((k, v) for k, v in given_headers if not k.startswith("driftloop-quarantine-"))
    found = Bench().through(rejected(value, key, kept)).record
    assert (found.value, found.key, found.headers) == (value, key, kept)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["reason", "topic", "partition", "offset", "null-value", "stored"]), st.binary(max_size=40))))
def test_what_a_stranger_writes_to_quarantine_is_read_without_an_error(theirs: list[tuple[str, bytes]]) -> None:
    made = tuple((f"driftloop-quarantine-{name}", value) for name, value in theirs)
    found = read_quarantined(Record(TOPIC, 0, 0, 0, None, b"x", made))
    assert found.partition >= -1
    assert found.stored is None


def test_a_reference_to_another_area_of_the_bucket_is_none() -> None:
    digest = b"0" * 64

    def stored(key: bytes) -> StoredMessage | None:
        place = b'{"key":"%s","sha256":"%s","size":1}' % (key, digest)
        headers = ((REASON, b"why"), (STORED, place))  # as quarantine writes them
        return read_quarantined(Record(TOPIC, 0, 0, 0, None, b"x", headers)).stored

    assert stored(b"quarantine/s/" + digest) is not None
    assert stored(b"models/secret/" + digest) is None
    assert stored(b"quarantine/s/" + b"1" * 64) is None
