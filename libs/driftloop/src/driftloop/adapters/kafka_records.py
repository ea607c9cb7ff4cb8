"""Records out of a fetched batch: as kafka-python reads them, but for four things. aiokafka's consumers read by this too.

Header keys that are not UTF-8: the broker takes any bytes as a header's key; the clients decode them inside ``poll`` and
raise UnicodeDecodeError, so one such message would stop every reader of its topic for ever. Here such a key is read with
surrogate escapes, and written back as the bytes that it was.

Size: what a compressed batch inflates to is bounded (``kafka_codecs``), and so is what one poll brings (``BytesOfPoll``).

Batches that cannot be read, or only with more memory than that: they come as one record, which holds the batch as the
broker has it and says why in a header. Its value is nothing that any decoder takes, so it ends in quarantine.

Time: reading a record is the larger part of a service's work on small messages. Most numbers in it are one byte, and most
records of a topic have the headers of the one before, so both are taken without a call.

Format: https://kafka.apache.org/documentation/#record
"""

from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import memory_records
from kafka.record.default_records import ControlRecord, DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from driftloop.adapters.kafka_codecs import inflate
from driftloop.contracts.headers import UNREADABLE_BATCH
from driftloop.errors import InvalidMessage

MAX_BATCH_BYTES = 64 * 1024 * 1024  # of what a batch inflates to; the largest topic takes batches of 8 MiB
MAX_POLL_BYTES = 64 * 1024 * 1024  # of values that one poll brings, or one record

HeaderList = list[tuple[str, bytes | None]]

_ONE_BYTE = 0x80  # a varint whose first byte is below it ends with that byte
_last: tuple[bytes, HeaderList] = (b"\0", [])  # headers as they stand in a record, and read; nobody changes the list


class HeaderKey(str):
    """A header key that may stand for bytes that are not UTF-8; encodes to the very same bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", "surrogateescape")


def read_record(batch: Any) -> Any:
    """In place of ``DefaultRecordBatch._read_msg``. Raises CorruptRecordError, ValueError, IndexError."""
    buffer, about = batch._buffer, batch._header_data
    length, pos = decode_varint(buffer, batch._pos)
    start, end = pos, pos + length
    if length < 0 or end > len(buffer):
        raise CorruptRecordError(f"a record of {length} bytes in a batch that ends before")
    timestamp_delta, pos = decode_varint(buffer, pos + 1)  # the first byte holds attributes, of which there are none yet
    n = buffer[pos]
    if n < _ONE_BYTE:
        offset_delta, pos = (n >> 1) ^ -(n & 1), pos + 1
    else:
        offset_delta, pos = decode_varint(buffer, pos)
    if buffer[pos] == 1:  # -1: null
        key, pos = None, pos + 1
    else:
        key, pos = _bytes(buffer, pos)
    value, pos = _bytes(buffer, pos)
    if buffer[pos] == 0 and pos + 1 == end:
        headers: HeaderList = []
    else:
        headers = _headers(bytes(buffer[pos:end]))
    if pos > end:
        raise CorruptRecordError(f"a record of {length} bytes whose parts have {pos - start}")
    batch._pos = end
    attributes = about[5]
    appended = attributes & DefaultRecordBatch.TIMESTAMP_TYPE_MASK
    kind = ControlRecord if attributes & DefaultRecordBatch.CONTROL_MASK else DefaultRecord
    timestamp = about[8] if appended else about[7] + timestamp_delta
    return kind(length, about[0] + offset_delta, timestamp, 1 if appended else 0, key, value, headers)


def _bytes(buffer: bytes | bytearray, pos: int) -> tuple[bytes | None, int]:
    n, pos = decode_varint(buffer, pos)
    return (None, pos) if n < 0 else (bytes(buffer[pos : pos + n]), pos + n)


def _headers(raw: bytes) -> HeaderList:
    """The rest of a record; the same list for the same bytes as the last time."""
    global _last
    known, headers = _last  # one object, so that threads see both or neither
    if raw == known:
        return headers
    count, pos = decode_varint(raw, 0)
    if count < 0:
        raise CorruptRecordError(f"a record with {count} headers")
    headers = []
    for _ in range(count):
        size, pos = decode_varint(raw, pos)
        if size < 0:
            raise CorruptRecordError("a header without a key")
        name = raw[pos : pos + size]
        value, pos = _bytes(raw, pos + size)
        headers.append((_text(name), value))
    if pos != len(raw):
        raise CorruptRecordError(f"headers of {len(raw)} bytes whose parts have {pos}")
    _last = (raw, headers)
    return headers


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return HeaderKey(key.decode("utf-8", "surrogateescape"))


_Base: Any = DefaultRecordBatch


class Batch(_Base):  # type: ignore[misc]
    """In place of ``DefaultRecordBatch``, in both clients."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool
    _next_record_index: int

    def __init__(self, buffer: bytes | memoryview) -> None:
        super().__init__(buffer)
        self._stored, self._next_offset = self._buffer, self.base_offset
        self._unreadable: str | None = None

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type != self.CODEC_NONE:
            try:
                self._buffer = inflate(self.compression_type, memoryview(self._buffer)[self._pos :], MAX_BATCH_BYTES)
            except InvalidMessage as exc:
                self._unreadable = str(exc)
            self._pos = 0
        self._decompressed = True

    def __next__(self) -> Any:
        if self._next_record_index >= self._num_records:
            if self._unreadable is None and self._pos != len(self._buffer):
                return self._instead("bytes are left behind its last record")
            raise StopIteration
        if self._unreadable is not None:
            return self._instead(self._unreadable)
        try:
            record = read_record(self)
        except (CorruptRecordError, ValueError, IndexError) as exc:
            return self._instead(f"broken: {exc}")
        self._next_record_index += 1
        self._next_offset = record.offset + 1
        return record

    next = __next__

    def _instead(self, why: str) -> DefaultRecord:
        """One record for all that are left."""
        self._unreadable, self._next_record_index = why, self._num_records
        about = f"offsets {self._next_offset} to {self.last_offset}, {self.records_count} records in the batch: {why}"
        value = bytes(self._stored)
        return DefaultRecord(
            len(value), self._next_offset, self.max_timestamp, self.timestamp_type, None, value, [(UNREADABLE_BATCH, about.encode())]
        )


class EnoughForNow(Exception):
    """A poll has brought what it may; the rest comes with the next one."""


class BytesOfPoll:
    """How much a poll may still bring. kafka-python counts records only, and each may be of megabytes."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        """For this consumer, which says ``start`` before each of its polls."""
        self.left = MAX_POLL_BYTES
        budget = self

        class Part(Fetcher.PartitionRecords):  # type: ignore[misc]
            def take(self, n: int | None = None) -> list[Any]:
                return budget.take(self, n)

        consumer._fetcher.PartitionRecords = Part

    def start(self) -> None:
        self.left = MAX_POLL_BYTES

    def take(self, part: Any, n: int | None) -> list[Any]:
        """In place of ``PartitionRecords.take``. Raises EnoughForNow, which the fetcher keeps for the next poll."""
        if self.left <= 0:
            raise EnoughForNow
        part._maybe_raise_next_inline_exception()
        records: list[Any] = []
        try:
            for record in part.record_iterator:
                records.append(record)
                self.left -= max(record.serialized_key_size, 0) + max(record.serialized_value_size, 0)
                if self.left <= 0 or len(records) == n:
                    break
        except Exception as exc:
            if not records:
                raise
            part._next_inline_exception = exc  # for the next call, as there
        return records


def read_records_so() -> None:
    """Teach kafka-python, in this process. Doing it twice does it once."""
    memory_records.DefaultRecordBatch = Batch
