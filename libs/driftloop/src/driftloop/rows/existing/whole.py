"""Records of any topic read as a whole, for people: what format they seem to be in, and the fields of each."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from driftloop.contracts.existing_topics import Format
from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.headers import is_arrow
from driftloop.contracts.typed import prepared
from driftloop.errors import InvalidMessage
from driftloop.ports import Record, Schema, Schemas
from driftloop.rows.existing.avro_schema import AvroSchema
from driftloop.rows.existing.protobuf import message_class, whole
from driftloop.rows.existing.records import UNREADABLE, words
from driftloop.rows.existing.wire import frame

_FORMATS: dict[str, Format] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json-schema"}
ARROW = "arrow"  # driftloop's own batches, which need no mapping


class Whole(NamedTuple):
    """``fields``: by path; what lies in lists is not looked into. ``format`` None: nothing that is known; ``problem`` says what then."""

    format: str | None
    schema_id: int | None = None
    fields: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    problem: str | None = None


class WholeRecords:
    """``schemas`` None: no registry is known, and what was written with one cannot be read."""

    def __init__(self, schemas: Schemas | None) -> None:
        self._schemas = schemas
        self._avro: dict[int, AvroSchema] = {}
        self._protobuf: dict[tuple[int, tuple[int, ...]], Any] = {}

    def read(self, record: Record) -> Whole:
        """Raises TransientError and ConfigurationError of the registry."""
        if is_arrow(record.headers):
            return Whole(ARROW)
        value = record.value
        if value is None:
            return Whole(None, problem="no value (a tombstone, or a watermark)")
        if value[:1] == b"\0":
            return self._framed(value)
        try:
            return Whole("json", fields=dict(flat(msgspec.json.decode(value, type=prepared(dict[str, Any])))))
        except UNDECODABLE:
            begins = value[:8].hex(" ")
            return Whole(None, problem=f"neither a JSON object nor as a schema registry's serializers write; it begins with {begins}")

    def _framed(self, value: bytes) -> Whole:
        try:
            before = frame(value, indexed=False)
            if self._schemas is None:
                raise InvalidMessage(
                    "it begins as a schema registry's serializers write, and no registry is known: set SCHEMA_REGISTRY_URL"
                )
            schema = self._schemas.schema(before.schema_id)
            found = _FORMATS.get(schema.type)
            if found is None:
                raise InvalidMessage(f"schema {schema.id} is {schema.type}, which is not read")
            return Whole(found, schema.id, dict(flat(self._value(found, schema, value))))
        except UNREADABLE as exc:
            return Whole(None, problem=words(exc))

    def _value(self, kind: Format, schema: Schema, value: bytes) -> Any:
        if kind == "avro":
            from fastavro import schemaless_reader

            parsed = self._avro.get(schema.id) or AvroSchema(schema)
            self._avro[schema.id] = parsed
            try:
                return schemaless_reader(io.BytesIO(value[5:]), parsed.root, None)
            except Exception as exc:  # it says with exceptions of all kinds that bytes are not of the schema
                raise InvalidMessage(f"the value does not fit schema {schema.id}: {type(exc).__name__}: {exc}") from exc
        if kind == "protobuf":
            before = frame(value, indexed=True)
            key = (schema.id, before.indexes)
            if key not in self._protobuf:
                self._protobuf[key] = message_class(schema, before.indexes)
            return whole(self._protobuf[key], value[before.start :])
        return msgspec.json.decode(value[5:], type=prepared(dict[str, Any]))


def flat(value: Any, path: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    """Paths and values of what is no object."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from flat(inner, (*path, str(name)))
    elif path:
        yield ".".join(path), value
