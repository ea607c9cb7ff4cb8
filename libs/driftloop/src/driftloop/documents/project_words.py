"""The words of ``driftloop.toml`` with their types and defaults, from the types that a file is read into."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from driftloop.project.conversion import monitoring_settings
from driftloop.project.rules import default_thresholds
from driftloop.project.tables import ProjectFile

_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "table", "null": "none"}
_FORMATS = {"date-time": "time"}
Schema = dict[str, Any]


def project_words() -> Iterator[list[str]]:
    """Rows of table, word, type and default; ``required`` where a file must have it."""
    [schema], types = msgspec.json.schema_components([ProjectFile])
    for section, spec in types[_name(schema)]["properties"].items():
        if section == "features":
            yield [f"`[{section}]`", "a name", _type(spec["additionalProperties"], types), "required"]
        elif "$ref" in spec.get("items", {}):  # any number of tables
            yield from _table(f"[[{section}]]", types[_name(spec["items"])], types)
        else:
            yield from _table(f"[{section}]", types[_name(_first(spec))], types)


def _table(title: str, table: Schema, types: dict[str, Schema]) -> Iterator[list[str]]:
    for word, spec in _words(title, table):
        below = _first(spec)
        if "$ref" in below and "properties" in types[_name(below)]:
            yield from _table(f"{title[:-1]}.{word}]", types[_name(below)], types)
        else:
            yield [f"`{title}`", f"`{word}`", _type(spec, types), _default(word, spec, table)]


def _words(title: str, table: Schema) -> Iterator[tuple[str, Schema]]:
    """As they are written: in the file a threshold stands beside the others."""
    if title != "[monitoring]":
        yield from table["properties"].items()
        return
    thresholds = default_thresholds()
    for word in monitoring_settings():
        yield word, table["properties"].get(word, {"type": "number", "default": thresholds.get(word)})


def _default(word: str, spec: Schema, table: Schema) -> str:
    if word in table.get("required", ()):
        return "required"
    default = spec.get("default")
    return "–" if default in (None, {}) else f"`{json.dumps(default)}`"


def _type(spec: Schema, types: dict[str, Schema]) -> str:
    if "anyOf" in spec:
        found = [_type(one, types) for one in spec["anyOf"]]
        return " or ".join(dict.fromkeys(one for one in found if one != "none"))
    if "$ref" in spec:
        return _type(types[_name(spec)], types)
    if "enum" in spec:
        return ", ".join(f"`{value}`" for value in spec["enum"])
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'], types)}" if "items" in spec else "list"
    said = _FORMATS.get(spec.get("format", ""), _TYPES[spec["type"]])
    bounds = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    return " ".join([said, *(f"{sign} {spec[bound]:g}" for bound, sign in bounds if bound in spec)])


def _first(spec: Schema) -> Schema:
    """What it is where it is something."""
    options: list[Schema] = spec.get("anyOf", [spec])
    return next(one for one in options if one.get("type") != "null")


def _name(spec: Schema) -> str:
    return str(spec["$ref"]).rpartition("/")[2]
