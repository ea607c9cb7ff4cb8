"""What producers compress, inflated again, up to a limit: every codec that Kafka knows, by one small library and zlib.

A batch of a few kilobytes may stand for gigabytes, and the broker's limits count what it stores. So nothing here is
inflated first and measured afterwards.

Formats: https://kafka.apache.org/documentation/#recordbatch; snappy: https://github.com/xerial/snappy-java (SnappyOutputStream)
"""

import struct
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cramjam
import kafka.codec

from driftloop.errors import InvalidMessage

Inflate = Callable[[memoryview, int], bytearray]

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4  # as in the attributes of a batch
NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}

_LIKELY_FACTOR, _SMALL, _NEXT_FACTOR = 8, 4096, 4
_GZIP_PIECE = 4096  # a member gives back what is behind it as a copy: of all that is left, thousands of them would take minutes
_XERIAL_MAGIC, _XERIAL_HEADER_BYTES = b"\x82SNAPPY\x00", 16


class TooLarge(InvalidMessage):
    """The bytes inflate to more than was allowed."""


class _Full(Exception):
    """There is more than there is room for."""


def inflate(codec: int, data: memoryview, limit: int) -> bytearray:
    """The bytes behind ``data``, ``limit`` at most. Raises TooLarge; InvalidMessage for bytes that are none of the codec."""
    try:
        return _CODECS[codec](data, limit)
    except KeyError:
        raise InvalidMessage(f"compressed in a way that Kafka does not know ({codec})") from None
    except _Full:
        raise TooLarge(f"inflates to more than {limit} bytes") from None
    except (zlib.error, cramjam.DecompressionError, EOFError, struct.error, OSError, ValueError) as exc:
        raise InvalidMessage(f"not readable as {NAMES[codec]}: {exc}") from exc


def _gzip(data: memoryview, limit: int) -> bytearray:
    out, at = bytearray(), 0
    while at < len(data):  # of one member after the other
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = data[at : at + _GZIP_PIECE]
            if not piece:
                raise EOFError("it ends in the middle")
            out += member.decompress(piece, limit - len(out) + 1)
            if len(out) > limit:
                raise _Full
            at += len(piece) - len(member.unused_data)
    return out


def _by(decompress_into: Callable[[memoryview, bytearray], int]) -> Inflate:
    """For a codec that cannot say beforehand how much there is: into a room that is likely large enough, else into a larger one."""

    def inflated(data: memoryview, limit: int) -> bytearray:
        room = min(limit, max(_SMALL, _LIKELY_FACTOR * len(data)))
        while True:
            out = bytearray(room)
            try:
                size = decompress_into(data, out)
            except cramjam.DecompressionError as exc:
                if "whole buffer" not in str(exc):
                    raise
                if room == limit:
                    raise _Full from exc
                room = min(limit, room * _NEXT_FACTOR)
            else:
                del out[size:]
                return out

    return inflated


def _snappy(data: memoryview, limit: int) -> bytearray:
    """One block, or blocks behind a header, each with its size before it."""
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return _snappy_block(data, limit)
    out, at = bytearray(), _XERIAL_HEADER_BYTES
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 <= size <= len(data) - at:
            raise EOFError(f"a block of {size} bytes where {len(data) - at} are left")
        out += _snappy_block(data[at : at + size], limit - len(out))
        at += size
    return out


def _snappy_block(data: memoryview, limit: int) -> bytearray:
    declared = cramjam.snappy.decompress_raw_len(data)
    if declared > limit:
        raise _Full
    out = bytearray(declared)
    del out[cramjam.snappy.decompress_raw_into(data, out) :]
    return out


_CODECS: dict[int, Inflate] = {
    GZIP: _gzip,
    SNAPPY: _snappy,
    LZ4: _by(cramjam.lz4.decompress_into),
    ZSTD: _by(cramjam.zstd.decompress_into),
}


class _Compressor:
    def compress(self, payload: bytes) -> bytes:
        return bytes(cramjam.zstd.compress(payload, level=1))


def write_zstd_so() -> None:
    """Let kafka-python's producer write zstd by the same library. Doing it twice does it once."""
    module: Any = kafka.codec
    module.zstd = SimpleNamespace(ZstdCompressor=_Compressor)
