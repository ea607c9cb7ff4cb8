"""Avro values read one by one, with readers made of the schema: of maps, lists, and what lies deep or contains itself."""

import struct
from collections.abc import Callable
from typing import Any, NoReturn

from driftloop.errors import InvalidMessage
from driftloop.rows.existing.avro_schema import AvroSchema, base, scale_of

DEEPEST = 64  # of values inside one another
_FLOAT, _DOUBLE = struct.Struct("<f").unpack_from, struct.Struct("<d").unpack_from

ReadAny = Callable[[bytes, int, int], tuple[Any, int]]  # bytes, where it begins, how deep it lies; the value, and where it ends


def bad(why: str) -> NoReturn:
    """Raises InvalidMessage."""
    raise InvalidMessage(f"the value does not fit its schema: {why}")


def tail(data: bytes, first: int, at: int) -> tuple[int, int]:
    """A varint of more than one byte, ``first`` the one before ``at``, before its sign is taken out; and where it ends. Raises
    InvalidMessage, IndexError.

    Written out, in halves of four bytes: Python counts fast below 2^30, and a time has eight bytes.
    """
    b1 = data[at]
    if b1 < 128:
        return first + (b1 << 7) - 0x80, at + 1
    b2 = data[at + 1]
    if b2 < 128:
        return first + (b1 << 7) + (b2 << 14) - 0x4080, at + 2
    b3 = data[at + 2]
    low = first + (b1 << 7) + (b2 << 14) + ((b3 & 127) << 21) - 0x204080
    if b3 < 128:
        return low, at + 3
    b4 = data[at + 3]
    if b4 < 128:
        return low + (b4 << 28), at + 4
    b5 = data[at + 4]
    if b5 < 128:
        return low + (b4 - 0x80 + (b5 << 7) << 28), at + 5
    b6 = data[at + 5]
    if b6 < 128:
        return low + (b4 + (b5 << 7) + (b6 << 14) - 0x4080 << 28), at + 6
    b7 = data[at + 6]
    high = b4 + (b5 << 7) + (b6 << 14) + ((b7 & 127) << 21) - 0x204080
    if b7 < 128:
        return low + (high << 28), at + 7
    b8, b9 = data[at + 7], data[at + 8] if data[at + 7] > 127 else 0
    if b9 > 1:
        bad("a whole number of more than 64 bits")
    return low + (high << 28) + ((b8 & 127) << 56) + (b9 << 63), at + (9 if b8 > 127 else 8)


def long(data: bytes, at: int) -> tuple[int, int]:
    number, at = data[at], at + 1
    if number > 127:
        number, at = tail(data, number, at)
    return (number >> 1) ^ -(number & 1), at


def value_reader(schema: AvroSchema, kind: Any, known: dict[int, ReadAny]) -> ReadAny:
    """Of any type. ``known``: those made so far, by the type that they are of; one that contains itself is found there."""
    kind = schema.resolved(kind)
    if id(kind) in known:
        return known[id(kind)]
    if isinstance(kind, dict):
        known[id(kind)] = lambda data, at, depth: made(data, at, depth)
    made = _made(schema, kind, known)
    return made


def _made(schema: AvroSchema, kind: Any, known: dict[int, ReadAny]) -> ReadAny:
    match base(kind):
        case "null":
            return lambda data, at, depth: (None, at)
        case "boolean":
            return lambda data, at, depth: ((False, True)[data[at]], at + 1)
        case "int" | "long":
            return lambda data, at, depth: long(data, at)
        case "float":
            return lambda data, at, depth: (_FLOAT(data, at)[0], at + 4)
        case "double":
            return lambda data, at, depth: (_DOUBLE(data, at)[0], at + 8)
        case "bytes" | "string" | "fixed":
            return _bytes(kind)
        case "enum":
            return _enum(tuple(kind["symbols"]))
        case "union":
            return _union([value_reader(schema, branch, known) for branch in kind])
        case "record":
            return _record([(field["name"], value_reader(schema, field["type"], known)) for field in kind["fields"]])
        case "array":
            return _blocks(value_reader(schema, kind["items"], known), keyed=False)
        case "map":
            return _blocks(value_reader(schema, kind["values"], known), keyed=True)
        case other:
            raise InvalidMessage(f"the schema has a type {other!r}, which Avro has not")


def span(data: bytes, at: int) -> tuple[int, int]:
    """Where a text or bytes begin and end. Raises InvalidMessage, IndexError."""
    size, at = long(data, at)
    if size < 0 or at + size > len(data):
        bad("a size beyond its end")
    return at, at + size


def _bytes(kind: Any) -> ReadAny:
    fixed, scale = (int(kind["size"]) if base(kind) == "fixed" else None), scale_of(kind)

    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        start, end = span(data, at) if fixed is None else (at, at + fixed)
        if scale is not None:
            return int.from_bytes(data[start:end], "big", signed=True) / 10**scale, end
        return data[start:end].decode() if base(kind) == "string" else data[start:end], end

    return read


def _enum(symbols: tuple[str, ...]) -> ReadAny:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        index, at = long(data, at)
        if not 0 <= index < len(symbols):
            bad("a symbol that the enum has not")
        return symbols[index], at

    return read


def _union(branches: list[ReadAny]) -> ReadAny:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        index, at = long(data, at)
        if not 0 <= index < len(branches):
            bad("a branch that the union has not")
        return branches[index](data, at, depth + 1)

    return read


def _record(fields: list[tuple[str, ReadAny]]) -> ReadAny:
    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        if depth > DEEPEST:
            bad("nested too deep")
        found = {}
        for name, field in fields:
            found[name], at = field(data, at, depth + 1)
        return found, at

    return read


def _blocks(item: ReadAny, *, keyed: bool) -> ReadAny:
    """Of a list or a map: blocks of items, each with their number; the last one has none."""

    def read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        if depth > DEEPEST:
            bad("nested too deep")
        items: list[Any] = []
        pairs: dict[str, Any] = {}
        while True:
            count, at = long(data, at)
            if not count:
                return (pairs if keyed else items), at
            if count < 0:
                count, (_, at) = -count, long(data, at)
            if count + len(items) > len(data):  # each takes a byte at least, or there is no end to them
                bad("more items than bytes")
            for _ in range(count):
                if keyed:
                    start, at = span(data, at)
                    pairs[data[start:at].decode()], at = item(data, at, depth + 1)
                else:
                    found, at = item(data, at, depth + 1)
                    items.append(found)

    return read
