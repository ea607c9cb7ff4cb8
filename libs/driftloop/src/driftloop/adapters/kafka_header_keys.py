"""Header keys that are not UTF-8.

The broker takes any bytes as a header's key; kafka-python decodes them inside ``poll`` and raises UnicodeDecodeError, so
one such message would stop every reader of its topic for ever. Here such a key is read with surrogate escapes, and
written back as the bytes that it was.
"""

from typing import Any

from kafka.record.default_records import DefaultRecordBatch


class HeaderKey(str):
    """A header key that may stand for bytes that are not UTF-8; encodes to the very same bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("utf-8", "surrogateescape")


class _Buffer(bytearray):
    """A record buffer whose slices decode leniently. Slow, so it stands in for one record only."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Buffer(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> HeaderKey:
        return HeaderKey(super().decode("utf-8", "surrogateescape"))


_read_strictly = DefaultRecordBatch._read_msg


def _read(batch: Any) -> Any:
    try:
        return _read_strictly(batch)
    except UnicodeDecodeError:
        strict = batch._buffer  # the position is moved only by a record that was read whole
        batch._buffer = _Buffer(strict)
        try:
            return _read_strictly(batch)
        finally:
            batch._buffer = strict


def read_any_header_key() -> None:
    """Teach kafka-python's reader, in this process. Doing it twice does it once."""
    DefaultRecordBatch._read_msg = _read
