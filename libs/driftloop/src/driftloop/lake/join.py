"""Inferences with their labels. Which rows come out, and in which order, is part of the contract.

One row per event id: the inference that was scored first, with the label that has the highest (label time, partition,
offset). Ordered by (event_time, event_id, partition, offset). Labels carry their event's time, and both sides are cut
to the same interval of it.
"""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from driftloop.lake.table import LakeTable

ORDER = ("event_time", "event_id", "partition", "offset")
_FIRST = ("scored_at", "partition", "offset", "request_offset")
_LABEL_COLUMNS = ("event_id", "label", "label_time", "partition", "offset")


def labelled_rows(
    inferences: LakeTable,
    labels: LakeTable,
    *,
    start: datetime | None,
    end: datetime,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
) -> pa.Table:
    """Rows with event time in ``[start, end)``: the inferences' columns (or those named), then ``label`` and ``label_time``.

    Rows without a label are left out, or have nulls there. Open the tables at a version to read them as they were.
    """
    needed = None if columns is None else list(dict.fromkeys([*columns, *ORDER, *_FIRST]))
    return join(
        inferences.read(needed, start, end),
        labels.read(_LABEL_COLUMNS, start, end),
        columns=columns,
        keep_unlabelled=keep_unlabelled,
    )


def join(inferences: pa.Table, labels: pa.Table, *, columns: Sequence[str] | None = None, keep_unlabelled: bool = False) -> pa.Table:
    """The join of rows in memory; see the module."""
    with duckdb.connect() as connection:
        isolate(connection)
        connection.register("inferences", inferences)
        connection.register("labels", labels)
        rows = connection.sql(join_query(inferences.schema, columns, keep_unlabelled=keep_unlabelled)).to_arrow_table()
    return rows.cast(joined_schema(inferences.schema, labels.schema, columns))


def isolate(connection: duckdb.DuckDBPyConnection) -> None:
    """No extensions: they are downloaded at run time."""
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")


def joined_schema(inferences: pa.Schema, labels: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    names = inferences.names if columns is None else list(columns)
    label = [labels.field(name).with_nullable(True) for name in ("label", "label_time")]
    return pa.schema([*(inferences.field(n) for n in names), *label])


def join_query(inferences: pa.Schema, columns: Sequence[str] | None, *, keep_unlabelled: bool) -> str:
    """SQL over the relations ``inferences`` and ``labels``."""
    names = inferences.names if columns is None else list(columns)
    selected = ", ".join([*(f"i.{_quoted(n)}" for n in names), "l.label", "l.label_time"])
    # The rest of the columns break ties between copies that came in one message, so that the choice does not depend on file order.
    first = ", ".join(_quoted(n) for n in dict.fromkeys([*_FIRST, *inferences.names]))
    return f"""
        SELECT {selected}
        FROM ({_one_each("inferences", first)}) i
        {"LEFT" if keep_unlabelled else "INNER"} JOIN
             ({_one_each("labels", 'label_time DESC, partition DESC, "offset" DESC, label DESC')}) l
        ON i.event_id = l.event_id
        ORDER BY {", ".join(f"i.{_quoted(n)}" for n in ORDER)}
    """


def _one_each(table: str, order: str) -> str:
    """One row per event id, the first in ``order``. Ids with several rows are rare, so only they are sorted."""
    return f"""
        WITH several AS (SELECT event_id FROM {table} GROUP BY event_id HAVING count(*) > 1)
        SELECT * FROM {table} ANTI JOIN several USING (event_id)
        UNION ALL
        SELECT * FROM {table} SEMI JOIN several USING (event_id)
        QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY {order}) = 1
    """


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
