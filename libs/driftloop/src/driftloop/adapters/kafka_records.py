"""Records out of a fetched batch: as kafka-python reads them, but for two things.

Header keys that are not UTF-8: the broker takes any bytes as a header's key; kafka-python decodes them inside ``poll`` and
raises UnicodeDecodeError, so one such message would stop every reader of its topic for ever. Here such a key is read with
surrogate escapes, and written back as the bytes that it was.

Time: reading a record is the larger part of a service's work on small messages. Most numbers in it are one byte, and most
records of a topic have the headers of the one before, so both are taken without a call.

Format: https://kafka.apache.org/documentation/#record
"""

from typing import Any

from kafka.errors import CorruptRecordError
from kafka.record.default_records import ControlRecord, DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

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


def read_records_so() -> None:
    """Teach kafka-python, in this process. Doing it twice does it once."""
    DefaultRecordBatch._read_msg = read_record
