"""Avro schemas as a registry has them: read, and looked up by path. https://avro.apache.org/docs/1.12.0/specification/"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from driftloop.contracts.existing_topics import TimeFormat
from driftloop.errors import ConfigurationError, InvalidMessage
from driftloop.ports import Schema
from driftloop.rows.existing.kinds import Column, Utf8

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
_TIMES: dict[str, TimeFormat] = {"timestamp-millis": "unix_ms", "timestamp-micros": "unix_us", "date": "unix_days"}
_WORDS = {"boolean": "true or false", "int": "a whole number", "long": "a whole number", "string": "text", "enum": "text"}
_WORDS |= {"float": "a number", "double": "a number", "decimal": "a decimal number", "record": "an object", "map": "an object"}
_FITS: dict[str, frozenset[str]] = {
    "number": frozenset({"int", "long", "float", "double", "decimal"}),
    "integer": frozenset({"int", "long"}),
    "boolean": frozenset({"boolean"}),
    "category": frozenset({"string", "enum", "int", "long"}),
    "id": frozenset({"string", "int", "long"}),
    "datetime": frozenset({"int", "long", "float", "double", "string"}),
}
_PYTHON: dict[str, type] = {"boolean": bool, "int": int, "long": int, "float": float, "double": float, "decimal": float}
_PYTHON |= {"string": Utf8, "enum": Utf8}


class Leaf(NamedTuple):
    """``time_format``: how a number is a time, where the schema says it; ``types``: all that values are, beside null, where
    all of them are taken; None: it has to be looked at each."""

    time_format: TimeFormat | None
    types: frozenset[type] | None


class AvroSchema:
    """A schema with the types that it names. Raises InvalidMessage for one that is none."""

    def __init__(self, schema: Schema) -> None:
        parse, broken = _parser()
        refusals: tuple[type[Exception], ...] = (*broken, ValueError, TypeError, KeyError, AttributeError, RecursionError)
        self.named: dict[str, Any] = {}
        try:
            for text in (*(reference.text for reference in schema.references), schema.text):
                self.root = parse(json.loads(text), named_schemas=self.named)
        except refusals as exc:
            raise InvalidMessage(f"schema {schema.id} is no Avro schema: {type(exc).__name__}: {exc}"[:500]) from exc

    def resolved(self, kind: Any) -> Any:
        """A type by itself, where only its name stands. Raises InvalidMessage."""
        while isinstance(kind, str) and kind not in PRIMITIVES:
            if kind not in self.named:
                raise InvalidMessage(f"the schema names a type {kind!r} and has none")
            kind = self.named[kind]
        return kind

    def branches(self, kind: Any) -> list[Any]:
        """Of a union; else the type alone."""
        kind = self.resolved(kind)
        return [self.resolved(branch) for branch in kind] if isinstance(kind, list) else [kind]

    def leaf(self, column: Column) -> Leaf:
        """What values of a column's path can be. Raises InvalidMessage that names path, what was expected, and what there is, where
        they cannot be what the column wants."""
        path, kinds = column.source.path, [self.root]
        for at, step in enumerate(column.source.steps):
            inside = [inner for kind in kinds for inner in self._inside(kind, step)]
            if not inside:
                names = sorted({name for kind in kinds for name in self._names(kind)})
                place = ".".join(column.source.steps[: at + 1])
                there = f"; it has {', '.join(names[:12])}{' …' if len(names) > 12 else ''}" if names else ""
                raise InvalidMessage(f"no field {place!r} in the schema, where {column.name} was looked for{there}")
            kinds = [branch for kind in inside for branch in self.branches(kind)]
        values = [kind for kind in kinds if base(kind) != "null"]
        if not any(value_type(kind) in _FITS[column.kind] for kind in values):
            found = " or ".join(sorted({words(kind) for kind in kinds}))
            raise InvalidMessage(f"field {path!r}: expected {column.expected}, found {found} in the schema")
        formats = {_TIMES.get(str(logical(kind))) for kind in values} - {None}
        fits = all(value_type(kind) in _FITS[column.kind] for kind in values)
        types = frozenset(_PYTHON[value_type(kind)] for kind in values) if fits else None
        return Leaf(formats.pop() if len(formats) == 1 else None, types)

    def _inside(self, kind: Any, step: str) -> list[Any]:
        if base(kind) == "map":
            return [kind["values"]]
        return [field["type"] for field in kind["fields"] if field["name"] == step] if base(kind) == "record" else []

    def _names(self, kind: Any) -> list[str]:
        return [field["name"] for field in kind["fields"]] if base(kind) == "record" else []


def base(kind: Any) -> str:
    """What a resolved type is written as: a primitive, or record, enum, array, map, fixed, union."""
    if isinstance(kind, list):
        return "union"
    name = kind["type"] if isinstance(kind, dict) else kind
    return "record" if name == "error" else str(name)


def logical(kind: Any) -> str | None:
    return kind.get("logicalType") if isinstance(kind, Mapping) else None


def scale_of(kind: Any) -> int | None:
    """Digits behind the point, of a decimal; None for what is none."""
    if logical(kind) != "decimal" or base(kind) not in ("bytes", "fixed"):
        return None
    return int(kind.get("scale", 0))


def value_type(kind: Any) -> str:
    """What its values are taken for."""
    return "decimal" if scale_of(kind) is not None else base(kind)


def words(kind: Any) -> str:
    """A type for people."""
    meant = value_type(kind)
    said = logical(kind)
    return f"{said}" if said and meant != "decimal" else _WORDS.get(meant, meant)


def _parser() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        from fastavro.schema import SchemaParseException, UnknownType, parse_schema
    except ImportError as exc:
        raise ConfigurationError("records in Avro need fastavro: install driftloop[avro] where this process runs") from exc
    return parse_schema, (SchemaParseException, UnknownType)
