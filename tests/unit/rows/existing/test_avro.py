"""Our reader of Avro beside fastavro's, on schemas and values of all kinds."""

import io
import json
import struct
from itertools import count
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.contracts.existing_topics import Source
from driftloop.errors import InvalidMessage
from driftloop.ports import Schema
from driftloop.rows.existing.avro import AvroValues
from driftloop.rows.existing.avro_schema import AvroSchema
from driftloop.rows.existing.avro_values import long, value_reader
from driftloop.rows.existing.kinds import Column, Utf8, array
from driftloop.rows.existing.records import UNREADABLE

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "bytes": st.binary(max_size=200),
    "string": st.text(max_size=200),
}
Typed = tuple[Any, st.SearchStrategy[Any]]  # a schema, and values of it


@st.composite
def typed(draw: st.DrawFn, names: Any, depth: int = 3) -> Typed:
    shape = draw(st.sampled_from(["primitive"] * 3 + ["optional", "numbers", "enum", "fixed"] + ["record", "array", "map"] * (depth > 0)))
    name = f"N{next(names)}"
    match shape:
        case "primitive":
            kind = draw(st.sampled_from(sorted(PRIMITIVES)))
            return kind, PRIMITIVES[kind]
        case "optional":
            kind = draw(st.sampled_from(sorted(PRIMITIVES.keys() - {"null"})))
            return draw(st.permutations(["null", kind])), st.none() | PRIMITIVES[kind]
        case "numbers":  # several in a row are read at once
            fields = [{"name": f"x{i}", "type": ["null", "double"]} for i in range(draw(st.integers(2, 6)))]
            values = st.fixed_dictionaries({field["name"]: st.none() | PRIMITIVES["double"] for field in fields})
            return {"type": "record", "name": name, "fields": fields}, values
        case "enum":
            return {"type": "enum", "name": name, "symbols": ["A", "B", "C"]}, st.sampled_from("ABC")
        case "fixed":
            size = draw(st.integers(1, 20))
            return {"type": "fixed", "name": name, "size": size}, st.binary(min_size=size, max_size=size)
        case "record":
            inner = {f"f{i}": draw(typed(names, depth - 1)) for i in range(draw(st.integers(1, 5)))}
            fields = [{"name": field, "type": kind} for field, (kind, _) in inner.items()]
            return {"type": "record", "name": name, "fields": fields}, st.fixed_dictionaries({f: v for f, (_, v) in inner.items()})
        case "array":
            kind, values = draw(typed(names, depth - 1))
            return {"type": "array", "items": kind}, st.lists(values, max_size=4)
    kind, values = draw(typed(names, depth - 1))
    return {"type": "map", "values": kind}, st.dictionaries(st.text(max_size=5), values, max_size=3)


@st.composite
def records(draw: st.DrawFn) -> Typed:
    names = count()
    inner = {f"f{i}": draw(typed(names)) for i in range(draw(st.integers(1, 8)))}
    schema = {"type": "record", "name": "Root", "fields": [{"name": field, "type": kind} for field, (kind, _) in inner.items()]}
    return schema, st.fixed_dictionaries({field: values for field, (_, values) in inner.items()})


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue()


def leaves(schema: Any, path: tuple[str, ...] = ()) -> dict[str, Column]:
    """A column for each value that can be mapped."""
    found: dict[str, Column] = {}
    kinds = {"boolean": "boolean", "int": "integer", "long": "integer", "float": "number", "double": "number", "string": "category"}
    for field in schema["fields"]:
        here, kind = (*path, field["name"]), field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            found |= leaves(kind, here)
            continue
        named = next((k for k in kind if k != "null"), None) if isinstance(kind, list) else kind
        named = "string" if isinstance(named, dict) and named["type"] == "enum" else named
        if isinstance(named, str) and named in kinds:
            name = ".".join(here)
            found[name] = Column(name, kinds[named], Source(path=name))  # type: ignore[arg-type]
    return found


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[step]
    return value


@settings(max_examples=150)
@given(st.data())
def test_every_mapped_value_is_what_fastavro_reads(data: st.DataObject) -> None:
    schema, values = data.draw(records())
    columns = list(leaves(schema).values())
    given = data.draw(st.lists(values, min_size=1, max_size=3))
    bodies = [written(schema, value) for value in given]
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    theirs = [fastavro.schemaless_reader(io.BytesIO(body), parsed, None) for body in bodies]
    ours = AvroValues(Schema(1, "AVRO", json.dumps(schema)), columns)
    for column, found, types in zip(columns, ours.columns([b"12345" + body for body in bodies], 5), ours.types, strict=True):
        expected = [at(value, column.source.path) for value in theirs]
        texts = [value.decode() if types == {Utf8} and value is not None else value for value in found]
        assert texts == expected, column


@settings(max_examples=100)
@given(st.data())
def test_a_whole_value_is_what_fastavro_reads(data: st.DataObject) -> None:
    schema, values = data.draw(records())
    value = data.draw(values)
    body = written(schema, value)
    parsed = AvroSchema(Schema(1, "AVRO", json.dumps(schema)))
    theirs = fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(json.loads(json.dumps(schema))), None)
    assert value_reader(parsed, parsed.root, {})(body, 0, 0) == (theirs, len(body))


@settings(max_examples=200)
@given(st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject) -> None:
    schema, values = data.draw(records())
    columns = list(leaves(schema).values())
    body = bytearray(written(schema, data.draw(values)))
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
    body = body[: data.draw(st.integers(0, len(body)))] + bytearray(data.draw(st.binary(max_size=3)))
    ours = AvroValues(Schema(1, "AVRO", json.dumps(schema)), columns)
    try:
        for column, found, types in zip(columns, ours.columns([bytes(body)], 0), ours.types, strict=True):
            array(column, found, None, types)
    except UNREADABLE:
        return


@given(PRIMITIVES["long"])
def test_whole_numbers_of_every_size(number: int) -> None:
    body = written("long", number)
    assert long(body + b"\xff", 0) == (number, len(body))


def test_types_that_contain_themselves_are_passed_over() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "under", "type": {"type": "array", "items": "Tree"}}]}
    schema = {"type": "record", "name": "R", "fields": [{"name": "tree", "type": tree}, {"name": "x", "type": "double"}]}
    value = {"tree": {"under": [{"under": []}, {"under": [{"under": []}]}]}, "x": 1.5}
    [found] = AvroValues(Schema(1, "AVRO", json.dumps(schema)), [Column("x", "number", Source(path="x"))]).columns(
        [written(schema, value)], 0
    )
    assert found == [1.5]


def test_a_list_without_end_is_refused() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}, {"name": "x", "type": "double"}],
    }
    ours = AvroValues(Schema(1, "AVRO", json.dumps(schema)), [Column("x", "number", Source(path="x"))])
    endless = written("long", 2**60) + b"\0" + struct.pack("<d", 1.0)
    with pytest.raises(InvalidMessage, match="more items than bytes"):
        ours.columns([endless], 0)
