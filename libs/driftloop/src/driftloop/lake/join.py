"""Inferences with their labels. Which rows come out, and in which order, is part of the contract.

One row per event id: the inference that was scored first, with the label that has the highest (label time, partition,
offset). Rows of the stream come before those that came by HTTP, whose callers choose their ids, and labels that are dated
wrongly after all others (``lake.label_times``). Ordered by (event_time, event_id, partition, offset). Labels carry their
event's time, and both sides are cut to the same interval of it.

Snapshots of earlier releases were pinned under ``FIRST_RULE``, which knew neither exception; they keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.lake.label_times import UNDATED
from driftloop.lake.row_cut import FIRST_RULE, RULE

ORDER = ("event_time", "event_id", "partition", "offset")
CHOSEN_BY = ("scored_at", "partition", "offset", "request_offset")  # among the copies of an inference
_NEWEST = 'label_time DESC, partition DESC, "offset" DESC, label DESC'
_LABEL_EVENT_TIME = "$label_event_time"


@dataclass
class JoinCounts:
    """What joins met, added up: events that have a label, those of them that have an inference too, and of these the ones whose
    label names another event time. What is neither joined nor asked for in another interval has no inference, or none there."""

    labels: int = 0
    joined: int = 0
    other_time: int = 0


def join(
    inferences: pa.Table,
    labels: pa.Table,
    *,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    rule: int = RULE,
    counts: JoinCounts | None = None,
) -> pa.Table:
    """The join of rows in memory; see the module. The same rows in the same order as ``join_query`` gives.

    DuckDB joins the ids, and the rows are taken by their positions: to put 33 columns through a join and a sort takes twice
    the time. ``counts`` are added to; ``other_time`` only where the labels have their event time.
    """
    schema = joined_schema(inferences.schema, labels.schema, columns)
    with duckdb.connect() as connection:
        isolate(connection)
        inferences = _single(connection, inferences, _first_of(inferences.schema, rule))
        labels = _single(connection, labels, _newest_of(labels.schema))
        connection.register("i", _positions(inferences))
        connection.register("l", _positions(labels))
        kind = "LEFT" if keep_unlabelled else "INNER"
        pairs = connection.sql(f"SELECT i.pos AS i, l.pos AS l FROM i {kind} JOIN l USING (event_id)").to_arrow_table()
    keys = inferences.select(list(ORDER)).take(pairs.column("i"))
    order = pc.sort_indices(keys, [(name, "ascending") for name in ORDER])
    pairs = pairs.take(order)
    left = inferences.select([name for name in schema.names if name in inferences.column_names]).take(pairs.column("i"))
    right = labels.select(["label", "label_time"]).take(pairs.column("l"))
    if counts is not None:
        counts.labels += labels.num_rows
        counts.joined += pairs.num_rows - pairs.column("l").null_count
        if "event_time" in labels.column_names:
            counts.other_time += _differing(keys.column("event_time").take(order), labels.column("event_time").take(pairs.column("l")))
    return pa.Table.from_arrays([*left.columns, *right.columns], schema=schema)


def _differing(event_times: pa.ChunkedArray, label_event_times: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.not_equal(event_times, label_event_times)).as_py() or 0)  # null for rows without a label


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


def join_query(inferences: pa.Schema, labels: pa.Schema, columns: Sequence[str] | None, *, keep_unlabelled: bool, rule: int = RULE) -> str:
    """The join as SQL over the relations ``inferences`` and ``labels``, for rows that are not in memory. A last column of its
    own has the labels' event time; ``counted`` takes it off again."""
    names = inferences.names if columns is None else list(columns)
    selected = ", ".join([*(f"i.{_quoted(n)}" for n in names), "l.label", "l.label_time", f'l.event_time AS "{_LABEL_EVENT_TIME}"'])
    return f"""
        SELECT {selected}
        FROM ({_one_each("inferences", _first_of(inferences, rule))}) i
        {"LEFT" if keep_unlabelled else "INNER"} JOIN
             ({_one_each("labels", _newest_of(labels))}) l
        ON i.event_id = l.event_id
        ORDER BY {", ".join(f"i.{_quoted(n)}" for n in ORDER)}
    """


def counted(batch: pa.RecordBatch, counts: JoinCounts | None) -> pa.RecordBatch:
    """A batch of ``join_query`` with the event time among its columns, added to ``counts`` but for their ``labels``."""
    if counts is not None:
        label_times = batch.column(_LABEL_EVENT_TIME)
        counts.joined += batch.num_rows - label_times.null_count
        counts.other_time += _differing(batch.column("event_time"), label_times)
    return batch.select([name for name in batch.schema.names if name != _LABEL_EVENT_TIME])


def _first_of(columns: pa.Schema, rule: int) -> str:
    """The rest of the columns break ties between copies that came in one message, so that the choice does not depend on file order."""
    order = [_quoted(n) for n in dict.fromkeys([*CHOSEN_BY, *columns.names])]
    return ", ".join(order if rule == FIRST_RULE else ["request_offset IS NULL", *order])


def _newest_of(columns: pa.Schema) -> str:
    return f"{_quoted(UNDATED)}, {_NEWEST}" if UNDATED in columns.names else _NEWEST


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
