"""Which of a message's columns go into which of the table's, for writers with any of the stream's schemas."""

from typing import NamedTuple

import pyarrow as pa

from driftloop.contracts.schema import RESERVED
from driftloop.errors import InvalidMessage
from driftloop.rows.schemas import holds_probabilities, kind_of
from driftloop.rows.stored_columns import stored_as


class UnknownFeatures(InvalidMessage):
    """The table has no column for some features: of a newer schema, or of nobody's."""


class _Understood(NamedTuple):
    """A message's columns: what they must be, and for each of the table's the one that it comes from."""

    found: pa.Schema
    expected: pa.Schema
    sources: dict[str, str]


class FeatureColumns:
    """``fixed``: the columns that every message has. ``probabilities``: whether class probabilities may come beside them, which
    the messages of earlier programs do not have. ``stored``: all of the table's, but for those that ingest adds; None for
    readers without a table, to whom a message's features come as they are."""

    def __init__(self, fixed: pa.Schema, stored: pa.Schema | None, *, probabilities: bool = False) -> None:
        self._fixed, self._stored, self._probabilities = fixed, stored, probabilities
        self._last: _Understood | None = None

    def expected(self, found: pa.Schema) -> pa.Schema:
        """What a message with the columns ``found`` must look like. Raises UnknownFeatures."""
        return self._understood(found).expected

    def arranged(self, rows: pa.Table, found: pa.Schema) -> pa.Table:
        """The message's rows under the table's columns; a feature that the message does not have is null."""
        if self._stored is None:
            return rows
        sources = self._understood(found).sources
        columns = [rows.column(sources[f.name]) if f.name in sources else pa.nulls(rows.num_rows, f.type) for f in self._stored]
        return pa.Table.from_arrays(columns, schema=self._stored)

    def _understood(self, found: pa.Schema) -> _Understood:
        if self._last is not None and self._last.found.equals(found):  # nearly always
            return self._last
        if len(set(found.names)) < len(found.names):
            raise InvalidMessage("the Arrow schema names a column twice")
        features = [field for field in found if field.name not in RESERVED]
        targets = {field.name: self._target(field) for field in features}
        unknown = [f"{field.name} ({field.type})" for field in features if targets[field.name] is None]
        if unknown:
            raise UnknownFeatures(f"features that the stream does not have: {', '.join(unknown)[:500]}")
        expected = pa.schema([*self._fixed, *(pa.field(field.name, field.type) for field in features)])
        sources = {name: name for name in self._fixed.names} | {target: name for name, target in targets.items() if target}
        self._last = _Understood(found, expected, sources)
        return self._last

    def _target(self, field: pa.Field) -> str | None:
        if kind_of(field.type) is None and not (self._probabilities and holds_probabilities(pa.schema([field]))):
            return None
        return str(field.name) if self._stored is None else stored_as(field, self._stored)
