"""Avro records, the mapped fields of each."""

from collections.abc import Sequence
from typing import Any

from driftloop.errors import InvalidMessage
from driftloop.ports import Schema
from driftloop.rows.existing.avro_code import compiled
from driftloop.rows.existing.avro_schema import AvroSchema, base
from driftloop.rows.existing.kinds import Column, Utf8


class AvroValues:
    """Keeps ``records.Reader``, for one schema. Raises InvalidMessage for a schema that lacks what is mapped."""

    def __init__(self, schema: Schema, columns: Sequence[Column]) -> None:
        parsed = AvroSchema(schema)
        if base(parsed.resolved(parsed.root)) != "record":
            raise InvalidMessage(f"schema {schema.id} is no record, so it has no fields")
        leaves = [parsed.leaf(column) for column in columns]
        self.time_formats, self.types = [leaf.time_format for leaf in leaves], [leaf.types for leaf in leaves]
        self._read = compiled(parsed, columns, {i for i, types in enumerate(self.types) if types == frozenset({Utf8})})

    def columns(self, values: Sequence[bytes], start: int) -> list[list[Any]]:
        return self._read(values, start)
