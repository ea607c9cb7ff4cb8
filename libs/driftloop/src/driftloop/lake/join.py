"""Inferences with their labels. Which rows come out, and in which order, is part of the contract.

One row per event id: the inference that was scored first, with the label that has the highest (label time, partition,
offset). Ordered by (event_time, event_id, partition, offset). Labels carry their event's time, and both sides are cut
to the same interval of it.
"""

from collections.abc import Sequence
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.lake.table import LakeTable

ORDER = ("event_time", "event_id", "partition", "offset")
_FIRST = ("scored_at", "partition", "offset", "request_offset")
_NEWEST = 'label_time DESC, partition DESC, "offset" DESC, label DESC'
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
    """The join of rows in memory; see the module. The same rows in the same order as ``join_query`` gives.

    DuckDB joins the ids, and the rows are taken by their positions: to put 33 columns through a join and a sort takes twice
    the time.
    """
    schema = joined_schema(inferences.schema, labels.schema, columns)
    with duckdb.connect() as connection:
        isolate(connection)
        inferences = _single(connection, inferences, _first_of(inferences.schema))
        labels = _single(connection, labels, _NEWEST)
        connection.register("i", _positions(inferences))
        connection.register("l", _positions(labels))
        kind = "LEFT" if keep_unlabelled else "INNER"
        pairs = connection.sql(f"SELECT i.pos AS i, l.pos AS l FROM i {kind} JOIN l USING (event_id)").to_arrow_table()
    keys = inferences.select(list(ORDER)).take(pairs.column("i"))
    pairs = pairs.take(pc.sort_indices(keys, [(name, "ascending") for name in ORDER]))
    left = inferences.select([name for name in schema.names if name in inferences.column_names]).take(pairs.column("i"))
    right = labels.select(["label", "label_time"]).take(pairs.column("l"))
    return pa.Table.from_arrays([*left.columns, *right.columns], schema=schema)


def _single(connection: duckdb.DuckDBPyConnection, rows: pa.Table, order: str) -> pa.Table:
    """One row per event id, the first in ``order``: the rows as they are when no id comes twice."""
    connection.register("ids", rows.select(["event_id"]))
    several = connection.sql("SELECT event_id FROM ids GROUP BY event_id HAVING count(*) > 1").to_arrow_table().column("event_id")
    connection.unregister("ids")
    if not len(several):
        return rows
    repeated = pc.is_in(rows.column("event_id"), value_set=several.combine_chunks())
    connection.register("copies", rows.append_column("$pos", pa.array(np.arange(rows.num_rows))).filter(repeated))
    chosen = connection.sql(f'SELECT "$pos" FROM copies QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY {order}) = 1')
    taken = pc.invert(repeated).to_numpy().copy()
    taken[chosen.to_arrow_table().column("$pos").to_numpy()] = True
    connection.unregister("copies")
    return rows.filter(pa.array(taken))


def _positions(rows: pa.Table) -> pa.Table:
    return pa.table({"event_id": rows.column("event_id"), "pos": pa.array(np.arange(rows.num_rows))})


def isolate(connection: duckdb.DuckDBPyConnection) -> None:
    """No extensions: they are downloaded at run time."""
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")


def joined_schema(inferences: pa.Schema, labels: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    names = inferences.names if columns is None else list(columns)
    label = [labels.field(name).with_nullable(True) for name in ("label", "label_time")]
    return pa.schema([*(inferences.field(n) for n in names), *label])


def join_query(inferences: pa.Schema, columns: Sequence[str] | None, *, keep_unlabelled: bool) -> str:
    """The join as SQL over the relations ``inferences`` and ``labels``, for rows that are not in memory."""
    names = inferences.names if columns is None else list(columns)
    selected = ", ".join([*(f"i.{_quoted(n)}" for n in names), "l.label", "l.label_time"])
    return f"""
        SELECT {selected}
        FROM ({_one_each("inferences", _first_of(inferences))}) i
        {"LEFT" if keep_unlabelled else "INNER"} JOIN
             ({_one_each("labels", _NEWEST)}) l
        ON i.event_id = l.event_id
        ORDER BY {", ".join(f"i.{_quoted(n)}" for n in ORDER)}
    """


def _first_of(columns: pa.Schema) -> str:
    """The rest of the columns break ties between copies that came in one message, so that the choice does not depend on file order."""
    return ", ".join(_quoted(n) for n in dict.fromkeys([*_FIRST, *columns.names]))


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
