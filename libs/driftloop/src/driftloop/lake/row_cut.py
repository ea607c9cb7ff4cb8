"""Which rows of a stream's two tables are meant, and by which rule they are joined: of a snapshot, or of the tables as of a moment."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from driftloop.lake.cursors import Uncapped
from driftloop.lake.label_times import UNDATED_FIELD

FIRST_RULE, RULE = 1, 2  # of the join: that of earlier releases, and that of now (``lake.join``)


class RowCut(NamedTuple):
    """Event time in ``[start, end)``, null: no bound; offsets below ``ends``, by table and cursor, null: all of a table."""

    start: datetime | None
    end: datetime | None
    ends: Mapping[str, Mapping[str, int] | None]
    uncapped: Uncapped | None = None
    rule: int = RULE

    def columns(self, table: str, columns: pa.Schema) -> pa.Schema:
        """What is read of a table to join all of ``columns``."""
        return columns.append(UNDATED_FIELD) if table == "labels" and self.uncapped is not None else columns
