"""Records of a topic that is not ours, a batch at a time: the mapped columns of those that can be read, and why others cannot."""

from collections.abc import Sequence
from struct import error as TooShort
from typing import Any, NamedTuple, Protocol

import msgspec
import pyarrow as pa

from driftloop.contracts.existing_topics import COORDINATES, KEY, TimeFormat, TopicMapping, needs_schemas
from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.errors import ConfigurationError, InvalidMessage
from driftloop.ports import Record, Schemas
from driftloop.rows.existing.avro import AvroValues
from driftloop.rows.existing.json_values import JsonValues
from driftloop.rows.existing.kinds import Column, array
from driftloop.rows.existing.protobuf import ProtobufValues
from driftloop.rows.existing.wire import SIZE, Frame, frame
from driftloop.rows.json_objects import reason

UNREADABLE = (*UNDECODABLE, IndexError, TooShort, pa.ArrowException)
MOST_READERS = 200  # of schemas of one topic that are kept at hand

NOTHING_BEFORE = Frame(0, start=0)


class Reader(Protocol):
    """Takes the columns out of values that were all written with one schema."""

    @property
    def time_formats(self) -> Sequence[TimeFormat | None]:
        """By column, how a number is a time, where the schema says it."""

    @property
    def types(self) -> Sequence[frozenset[type] | None]:
        """By column, what its values are beside null, where the schema says that."""

    def columns(self, values: Sequence[bytes], start: int) -> Sequence[Sequence[Any]]:
        """A sequence for each column; each value begins at ``start``. Raises one of UNREADABLE when a value cannot be read."""


class Mapped(NamedTuple):
    """``columns``: Arrow, one for each that is mapped, in the order of ``accepted``. ``accepted`` and ``rejected`` name positions."""

    columns: dict[str, pa.Array]
    accepted: list[int]
    rejected: list[tuple[int, str]]  # with a reason that a person understands


class MappedRecords:
    """Of one topic: ``columns`` are those that are looked for, each with its source. Knows nothing of what they are for.

    Raises ConfigurationError when the format needs a schema registry and there is none.
    """

    def __init__(self, mapping: TopicMapping, columns: Sequence[Column], schemas: Schemas | None) -> None:
        if needs_schemas(mapping.format) and schemas is None:
            raise ConfigurationError(
                f"records of {mapping.topic} are in {mapping.format}: set SCHEMA_REGISTRY_URL to their schema registry"
            )
        self._mapping, self._schemas = mapping, schemas
        self._inside = [column for column in columns if not column.source.is_word]
        self._beside = [column for column in columns if column.source.is_word]
        self._framed, self._indexed = mapping.format != "json", mapping.format == "protobuf"
        self._readers: dict[Frame, Reader | str] = {}

    def read(self, records: Sequence[Record]) -> Mapped:
        """Raises TransientError when the registry does not answer, ConfigurationError when it refuses this client."""
        try:
            return Mapped(self._together(records), list(range(len(records))), [])
        except UNREADABLE:
            pass  # which, is found by looking at each
        accepted: list[int] = []
        rejected: list[tuple[int, str]] = []
        for i, record in enumerate(records):
            try:
                self._together([record])
            except UNREADABLE as exc:
                rejected.append((i, words(exc)))
            else:
                accepted.append(i)
        return Mapped(self._together([records[i] for i in accepted]), accepted, rejected)

    def _together(self, records: Sequence[Record]) -> dict[str, pa.Array]:
        found = {column.name: array(column, [_beside(column, record) for record in records], "unix_ms") for column in self._beside}
        values = [record.value for record in records]
        groups = self._groups(values)
        if len(groups) == 1:
            [by] = groups
            return found | self._of_one_schema(by, values)
        parts = [self._of_one_schema(by, [values[i] for i in places]) for by, places in groups.items()]
        order = [i for places in groups.values() for i in places]
        back = pa.array(sorted(range(len(order)), key=order.__getitem__), pa.int64())
        for column in self._inside:
            found[column.name] = pa.concat_arrays([array(column, []), *(part[column.name] for part in parts)]).take(back)
        return found

    def _groups(self, values: Sequence[bytes | None]) -> dict[Frame, list[int]]:
        """Places of the values, by what they were written with. Raises InvalidMessage, or TypeError for null among others."""
        places = list(range(len(values)))
        if len(values) > 1 and self._framed:
            size = SIZE + self._indexed
            beginnings = {value[:size] for value in values}  # type: ignore[index]
            if len(beginnings) == 1 and (not self._indexed or beginnings.pop()[-1] == 0):
                return {self._frame(values[0]): places}
        elif values and None not in values:
            return {self._frame(values[0]): places}
        groups: dict[Frame, list[int]] = {}
        for i, value in enumerate(values):
            groups.setdefault(self._frame(value), []).append(i)
        return groups

    def _frame(self, value: bytes | None) -> Frame:
        if value is None:
            raise InvalidMessage("null value (a tombstone), which holds no row")
        if not self._framed:
            return NOTHING_BEFORE
        found = frame(value, indexed=self._indexed)
        return found if needs_schemas(self._mapping.format) else found._replace(schema_id=0)

    def _of_one_schema(self, by: Frame, values: Sequence[Any]) -> dict[str, pa.Array]:
        reader = self._reader(by)
        found = reader.columns(values, by.start)
        about = zip(self._inside, found, reader.time_formats, reader.types, strict=True)
        return {column.name: array(column, taken, time_format, types) for column, taken, time_format, types in about}

    def _reader(self, by: Frame) -> Reader:
        """Of a schema; one that does not fit is remembered, too."""
        if by not in self._readers:
            if len(self._readers) >= MOST_READERS:
                self._readers.pop(next(iter(self._readers)))
            self._readers[by] = self._made(by)
        found = self._readers[by]
        if isinstance(found, str):
            raise InvalidMessage(found)
        return found

    def _made(self, by: Frame) -> Reader | str:
        """A reader, or why there is none."""
        if not needs_schemas(self._mapping.format):
            return JsonValues(self._inside)
        assert self._schemas is not None
        schema = self._schemas.schema(by.schema_id)  # not remembered: one that is not known now may be known later
        try:
            if schema.type != self._mapping.format.upper():
                raise InvalidMessage(f"it is {schema.type}, and the project says format = {self._mapping.format!r}")
            return AvroValues(schema, self._inside) if self._mapping.format == "avro" else ProtobufValues(schema, self._inside, by.indexes)
        except UNREADABLE as exc:
            return f"schema {by.schema_id}: {words(exc)}"


def _beside(column: Column, record: Record) -> Any:
    match column.source.path:
        case word if word == KEY:
            return None if record.key is None else record.key.decode()
        case word if word == COORDINATES:
            return f"{record.topic}-{record.partition}-{record.offset}"
        case _:
            return record.timestamp_ms


def words(exc: BaseException) -> str:
    """Why a record cannot be read, for people; ``exc``: one of UNREADABLE."""
    if isinstance(exc, InvalidMessage):
        return str(exc)
    if isinstance(exc, IndexError | TooShort):
        return "the value does not fit its schema: it ends too early"
    return reason(exc) if isinstance(exc, msgspec.MsgspecError | UnicodeDecodeError | RecursionError) else f"a value is out of range: {exc}"
