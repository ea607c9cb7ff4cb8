"""Confluent's wire format: what stands before a value that was written with a schema of a registry.

A zero byte, the schema's id as four bytes, most significant first; with Protobuf then which message of the schema it is.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

import struct
from typing import NamedTuple

from driftloop.errors import InvalidMessage

MAGIC = 0
SIZE = 5
MOST_INDEXES = 32  # messages inside messages
_ID = struct.Struct(">BI").unpack_from


class Frame(NamedTuple):
    """``start``: where the value itself begins; ``indexes``: of Protobuf, which message of the file, and which inside it."""

    schema_id: int
    start: int = SIZE
    indexes: tuple[int, ...] = ()


def frame(value: bytes | None, *, indexed: bool) -> Frame:
    """``indexed``: of a Protobuf message. Raises InvalidMessage for a value without the five bytes, or the indexes."""
    if value is None:
        raise InvalidMessage("null value (a tombstone), which holds no row")
    if len(value) < SIZE:
        raise InvalidMessage(f"{len(value)} bytes are too few: a zero byte and the schema's id of four bytes come first")
    magic, schema_id = _ID(value)
    if magic != MAGIC:
        raise InvalidMessage(
            f"the magic byte is missing: the value begins with {value[:SIZE].hex(' ')}, not with 00 and a schema's id; "
            'was it written with a registry\'s serializer? Without one, say what it is: format = "json"'
        )
    return _with_indexes(value, schema_id) if indexed else Frame(schema_id)


def _with_indexes(value: bytes, schema_id: int) -> Frame:
    if value[SIZE : SIZE + 1] == b"\0":  # the first message, mostly
        return Frame(schema_id, SIZE + 1, (0,))
    count, at = _zigzag(value, SIZE)
    if not 0 < count <= MOST_INDEXES:
        raise InvalidMessage(f"broken message indexes: {count} of them")
    indexes = []
    for _ in range(count):
        index, at = _zigzag(value, at)
        if index < 0:
            raise InvalidMessage(f"broken message indexes: one is {index}")
        indexes.append(index)
    return Frame(schema_id, at, tuple(indexes))


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise InvalidMessage("broken message indexes: the value ends in them, or one is too large")
