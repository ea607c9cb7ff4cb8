"""Protobuf records, the mapped fields of each. https://protobuf.dev/programming-guides/proto3/

A field without presence that is not in the bytes has its default, as everywhere in Protobuf: 0 is 0, sent or not. A field with
presence (``optional``, or a message) that is not there is missing.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from driftloop.contracts.existing_topics import TimeFormat
from driftloop.errors import InvalidMessage
from driftloop.ports import Schema
from driftloop.rows.existing.kinds import Column
from driftloop.rows.existing.protobuf_schema import file_of

_TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPERS = {f"google.protobuf.{n}Value" for n in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")}
_FITS: dict[str, frozenset[str]] = {
    "number": frozenset({"int", "float"}),
    "integer": frozenset({"int"}),
    "boolean": frozenset({"bool"}),
    "category": frozenset({"str", "enum", "int"}),
    "id": frozenset({"str", "int"}),
    "datetime": frozenset({"time", "int", "float", "str"}),
}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "enum": "an enum", "bytes": "bytes"}
_WORDS |= {"time": "a time", "message": "a message", "list": "a list"}

Get = Callable[[Any], Any]


class ProtobufValues:
    """Keeps ``records.Reader``, for one message of a schema. Raises InvalidMessage for one that lacks what is mapped."""

    def __init__(self, schema: Schema, columns: Sequence[Column], indexes: tuple[int, ...]) -> None:
        self.time_formats: list[TimeFormat | None] = []
        self.types: list[frozenset[type] | None] = [None] * len(columns)
        self._of = message_class(schema, indexes)
        self._get = [self._getter(self._of.DESCRIPTOR, column) for column in columns]

    def columns(self, values: Sequence[bytes], start: int) -> list[Sequence[Any]]:
        messages = [_parsed(self._of, value[start:]) for value in values]
        return [list(map(get, messages)) for get in self._get]

    def _getter(self, descriptor: Any, column: Column) -> Get:
        steps, path = column.source.steps, column.source.path
        taken: list[Get] = []
        kind = "message"
        for at, step in enumerate(steps):
            field = descriptor.fields_by_name.get(step) if descriptor is not None else None
            if field is None:
                place = ".".join(steps[: at + 1])
                names = sorted(descriptor.fields_by_name)[:12] if descriptor is not None else []
                there = f"; {descriptor.full_name} has {', '.join(names)}" if names else ""
                raise InvalidMessage(f"no field {place!r} in the schema, where {column.name} was looked for{there}")
            take, kind, descriptor = _field(field)
            taken.append(take)
        if kind not in _FITS[column.kind]:
            raise InvalidMessage(f"field {path!r}: expected {column.expected}, found {_WORDS[kind]} in the schema")
        self.time_formats.append("unix_us" if kind == "time" else None)
        return _one_after_another(taken)


def message_class(schema: Schema, indexes: tuple[int, ...]) -> Any:
    """Of one message of a schema. Raises InvalidMessage, ConfigurationError where Protobuf is not installed."""
    file = file_of(schema)
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_message(file, indexes))


def whole(of: Any, data: bytes) -> dict[str, Any]:
    """All fields of a message, those inside messages as objects. Raises InvalidMessage."""
    return _whole(_parsed(of, data))


def _whole(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        take, kind, _ = _field(field)
        value = take(message)
        found[field.name] = _whole(value) if kind == "message" and value is not None else list(value) if kind == "list" else value
        if kind == "time" and value is not None:
            found[field.name] = datetime.fromtimestamp(value / 1_000_000, UTC)
    return found


def _parsed(of: Any, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return of.FromString(data)
    except DecodeError as exc:
        raise InvalidMessage(f"the value does not fit its schema: {exc}") from exc


def _message(file: Any, indexes: tuple[int, ...]) -> Any:
    found: Any = None
    inside = list(file.message_types_by_name.values())
    for index in indexes:
        if index >= len(inside):
            raise InvalidMessage(f"the schema has no message {'.'.join(map(str, indexes))}, which the value says that it is")
        found = inside[index]
        inside = list(found.nested_types)
    return found


def _field(field: Any) -> tuple[Get, str, Any]:
    """How to take it out of its message, what it is, and the message's type where it is one."""
    name, kind = field.name, field.type
    if field.is_repeated:
        return (lambda message: getattr(message, name)), "list", None
    if kind in (field.TYPE_MESSAGE, field.TYPE_GROUP):
        of = field.message_type
        if of.full_name == _TIMESTAMP:
            return (lambda m: _us(getattr(m, name)) if m.HasField(name) else None), "time", None
        if of.full_name in _WRAPPERS:
            return (lambda m: getattr(m, name).value if m.HasField(name) else None), _plain(of.fields_by_name["value"]), None
        return (lambda m: getattr(m, name) if m.HasField(name) else None), "message", of
    if kind == field.TYPE_ENUM:
        names = {value.number: value.name for value in field.enum_type.values}
        # a number that the enum does not name yet stays a number, as text
        of_number: Get = lambda number: names.get(number, str(number))  # noqa: E731
        if field.has_presence:
            return (lambda m: of_number(getattr(m, name)) if m.HasField(name) else None), "enum", None
        return (lambda m: of_number(getattr(m, name))), "enum", None
    if field.has_presence:
        return (lambda m: getattr(m, name) if m.HasField(name) else None), _plain(field), None
    return (lambda m: getattr(m, name)), _plain(field), None


def _plain(field: Any) -> str:
    return {
        field.CPPTYPE_INT32: "int",
        field.CPPTYPE_INT64: "int",
        field.CPPTYPE_UINT32: "int",
        field.CPPTYPE_UINT64: "int",
        field.CPPTYPE_DOUBLE: "float",
        field.CPPTYPE_FLOAT: "float",
        field.CPPTYPE_BOOL: "bool",
    }.get(field.cpp_type, "bytes" if field.type == field.TYPE_BYTES else "str")


def _us(timestamp: Any) -> int:
    return int(timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000)


def _one_after_another(taken: Sequence[Get]) -> Get:
    if len(taken) == 1:
        return taken[0]

    def get(message: Any) -> Any:
        for take in taken:
            message = take(message)
            if message is None:
                return None
        return message

    return get
