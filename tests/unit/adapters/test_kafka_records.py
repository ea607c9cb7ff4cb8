"""Records as kafka-python itself reads them, where it can."""

import gzip
import struct
import subprocess
import sys
import zlib
from typing import Any

import aiokafka.codec as codecs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatchBuilder

from driftloop.adapters import kafka_codecs
from driftloop.adapters.kafka_records import Batch, HeaderKey, read_record
from driftloop.contracts.headers import UNREADABLE_BATCH

Row = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]

some_bytes = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=70), some_bytes), max_size=3)
rows = st.lists(st.tuples(st.integers(0, 2**40), some_bytes, some_bytes, headers), min_size=1, max_size=12)


def batch_of(records: list[Row]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, False, 7, 0, 0, 10**9)
    for n, (timestamp, key, value, with_headers) in enumerate(records):
        builder.append(n, timestamp, key, value, with_headers)
    return bytes(builder.build())


def read(data: bytes) -> list[tuple[Any, ...]]:
    return [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers, r.size_in_bytes) for r in Batch(data)]


@given(rows)
def test_what_was_written_is_read(records: list[Row]) -> None:
    found = read(batch_of(records))
    assert [row[:2] for row in found] == [(n, timestamp) for n, (timestamp, *_) in enumerate(records)]
    assert [(row[3], row[4], row[5]) for row in found] == [(key, value, with_headers) for _, key, value, with_headers in records]
    assert {row[2] for row in found} == {0}


def test_sizes_and_times_are_those_that_kafka_python_reads_by_itself() -> None:
    records: list[Row] = [(1_700_000_000_000 - 70 * n, b"k" * n, b"v" * 40 * n, [("a", b"1")] * (n % 3)) for n in range(200)]
    data = batch_of(records)
    program = "import sys; from kafka.record.default_records import DefaultRecordBatch as B; "
    program += "print([(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers, r.size_in_bytes) "
    program += "for r in B(sys.stdin.buffer.read())])"
    untaught = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True).stdout.decode().strip()
    assert str(read(data)) == untaught


def test_equal_headers_in_a_row_are_one_object() -> None:
    found = read(batch_of([(0, None, b"x", [("content-type", b"application/json")])] * 2))
    assert found[0][5] is found[1][5]


def test_a_header_key_that_is_not_text_is_read_and_goes_back_as_it_was() -> None:
    odd = HeaderKey(b"\xff\x00k".decode("utf-8", "surrogateescape"))
    ((*_, found, _size),) = read(batch_of([(0, None, None, [(odd, b"v"), ("plain", None)])]))
    assert [(key.encode(), value) for key, value in found] == [(b"\xff\x00k", b"v"), (b"plain", None)]


@given(st.lists(st.tuples(st.integers(0, 10**6), some_bytes, some_bytes, headers), min_size=1, max_size=3), st.data())
def test_damage_is_one_record_that_holds_the_batch_or_other_content(records: list[Row], data: st.DataObject) -> None:
    whole = batch_of(records)
    at = data.draw(st.integers(61, len(whole) - 1))
    damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for broken in (damaged, whole[:at]):
        found = read(broken)
        assert len(found) <= len(records) + 1
        *_, last = found
        if (names := [name for name, _ in last[5]]) and names == [UNREADABLE_BATCH]:
            assert last[4] == broken
        else:
            assert len(found) == len(records)
            assert len(broken) == len(whole)


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 5, 7])
@given(st.binary(max_size=300))
def test_any_bytes_that_claim_to_be_compressed_come_as_one_record_or_as_what_they_are(codec: int, data: bytes) -> None:
    header = bytearray(batch_of([(0, None, b"x", [])])[:61])
    header[22] |= codec  # the low byte of the attributes
    for claimed in (bytes(header) + data, bytes(header) + _compressed(codec, data)):
        for record in read(claimed):
            assert record[4] == claimed or [name for name, _ in record[5]] != [UNREADABLE_BATCH]


def _compressed(codec: int, data: bytes) -> bytes:
    encode = {1: codecs.gzip_encode, 2: codecs.snappy_encode, 3: codecs.lz4_encode, 4: codecs.zstd_encode}.get(codec)
    return data if encode is None else encode(data)


def test_a_record_that_says_it_is_longer_than_the_batch_is_corrupt() -> None:
    batch = Batch(batch_of([(0, None, b"x" * 50, [])])[:-20])
    with pytest.raises(CorruptRecordError, match="ends before"):
        read_record(batch)


def test_records_behind_the_number_that_a_batch_says_it_has_are_not_passed_over_without_a_word() -> None:
    data = bytearray(batch_of([(0, None, b"one", []), (0, None, b"two", [])]))
    struct.pack_into(">i", data, 57, 1)  # the number of records, last in the batch's header
    told = read(bytes(data))
    assert told[0][4] == b"one"
    assert [(name, why) for name, why in told[1][5] if name == UNREADABLE_BATCH and b"left behind" in why]
    assert len(told) == 2


def test_gzip_of_many_members_takes_time_by_its_size_and_not_by_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member is given what lies before it and a little more, not all that is left, which it would copy."""
    sizes: list[int] = []
    real = zlib.decompressobj

    class Counted:
        def __init__(self, wbits: int) -> None:
            self._inner = real(wbits)

        def decompress(self, data: memoryview, most: int) -> bytes:
            sizes.append(len(data))
            return self._inner.decompress(data, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Counted)
    member, n = gzip.compress(b"x"), 5000
    assert kafka_codecs.inflate(kafka_codecs.GZIP, memoryview(member * n), n) == b"x" * n
    assert max(sizes) <= 4096
