"""Which of a message's columns go into which of the table's, for writers with any of the stream's schemas."""

import pyarrow as pa

from driftloop.contracts.schema import RESERVED
from driftloop.errors import InvalidMessage
from driftloop.rows.stored_columns import stored_as


class UnknownFeatures(InvalidMessage):
    """The table has no column for some features: of a newer schema, or of nobody's."""


class FeatureColumns:
    """``fixed``: the columns that every message has; ``stored``: all of the table's, but for those that ingest adds."""

    def __init__(self, fixed: pa.Schema, stored: pa.Schema) -> None:
        self._fixed, self.stored = fixed, stored
        self._last: tuple[pa.Schema, pa.Schema, dict[str, str]] | None = None

    def expected(self, found: pa.Schema) -> pa.Schema:
        """What a message with the columns ``found`` must look like. Raises UnknownFeatures."""
        return self._understood(found)[0]

    def arranged(self, rows: pa.Table, found: pa.Schema) -> pa.Table:
        """The message's rows under the table's columns; a feature that the message does not have is null."""
        sources = self._understood(found)[1]
        columns = [rows.column(sources[f.name]) if f.name in sources else pa.nulls(rows.num_rows, f.type) for f in self.stored]
        return pa.Table.from_arrays(columns, schema=self.stored)

    def _understood(self, found: pa.Schema) -> tuple[pa.Schema, dict[str, str]]:
        """The expected schema, and for each of the table's columns the message's that it comes from."""
        if self._last is not None and self._last[0].equals(found):  # nearly always
            return self._last[1:]
        features = [field for field in found if field.name not in RESERVED]
        targets = {field.name: stored_as(field, self.stored) for field in features}
        unknown = [f"{field.name} ({field.type})" for field in features if targets[field.name] is None]
        if unknown:
            raise UnknownFeatures(f"features that the stream does not have: {', '.join(unknown)[:500]}")
        expected = pa.schema([*self._fixed, *(pa.field(field.name, field.type) for field in features)])
        sources = {name: name for name in self._fixed.names} | {target: name for name, target in targets.items() if target}
        self._last = found, expected, sources
        return expected, sources
