"""Class probabilities in the lake's files: written once, found by whoever looks for what lies behind them, joined like all else."""

import io
import json
from datetime import timedelta

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.lake_rows import class_probabilities, lake_inferences, lake_labels, with_probabilities
from tests.support.traffic import event_id, event_time, several_schema
from tests.unit.lake.test_snapshot_batches import stored

from driftloop.adapters.memory import MemoryStore
from driftloop.lake import sliced_join
from driftloop.lake.join import counted, join, join_query
from driftloop.lake.parquet import conformed, encode_file, leaf_index
from driftloop.lake.snapshot import read_snapshot
from driftloop.lake.snapshot_batches import batches_schema, snapshot_batches
from driftloop.rows.schemas import CLASS_PROBABILITIES, lake_schema

SCHEMA = several_schema("sliced")
WIDE = lake_schema(SCHEMA, "inferences")
ROWS = 400


def inferences(start: int = 0, end: int = ROWS) -> pa.Table:
    return with_probabilities(lake_inferences(SCHEMA, 0, start, end))


def labels(start: int = 0, end: int = ROWS) -> pa.Table:
    return lake_labels(SCHEMA, 0, start, end, value="pear")


def encoded(rows: pa.Table):
    return encode_file(rows, topic_id="t", partition=0, first_offset=0)


def test_no_file_is_looked_up_by_the_map():
    stats = json.loads(encoded(inferences(0, 10)).stats)
    assert "probabilities" not in stats["nullCount"] | stats["minValues"] | stats["maxValues"]
    assert stats["maxValues"]["offset"] == 9


def test_the_names_of_the_classes_are_stored_once_for_many_rows():
    file = pq.ParquetFile(io.BytesIO(encoded(inferences()).data))
    group = file.metadata.row_group(0)
    [names] = [group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "probabilities.key_value.key"]
    assert "RLE_DICTIONARY" in names.encodings
    assert names.total_uncompressed_size < 2 * ROWS  # written out they would be ten times as large


def test_columns_behind_the_map_are_found_by_their_path():
    rows = inferences(3, 10)
    file = pq.ParquetFile(io.BytesIO(encoded(rows).data))
    bounds = file.metadata.row_group(0).column(leaf_index(file, "offset")).statistics
    assert (bounds.min, bounds.max) == (3, 9)
    assert leaf_index(file, "probabilities") == -1
    assert conformed(file.read(), WIDE).equals(rows)


def test_files_of_earlier_programs_read_as_null():
    old = pq.read_table(io.BytesIO(encoded(inferences(0, 10).drop_columns(["probabilities"])).data))
    assert conformed(old, WIDE).column("probabilities").null_count == 10


@pytest.mark.parametrize("options", [{}, {"keep_unlabelled": True}, {"columns": ["probabilities", "event_id"]}])
@pytest.mark.parametrize("known", [10**9, 371])
def test_a_snapshot_in_slices_has_the_rows_of_one_read(options, known, monkeypatch):
    store = MemoryStore()
    monkeypatch.setattr(sliced_join.SlicedJoin, "_rows_per_slice", lambda self, groups: 110)
    copies = inferences(40, 50)  # of these events there are rows in other slices as well
    late = copies.set_column(1, WIDE.field(1), pa.array([event_time(n + 300) for n in range(40, 50)], WIDE.field(1).type))
    old = inferences(0, 100).drop_columns(["probabilities"])
    parts = [("inferences", rows) for rows in (old, inferences(100, 250), inferences(250, ROWS), late)] + [("labels", labels())]
    snapshot = stored(store, parts, known=known)
    content = msgspec.structs.replace(snapshot.content, schema_fingerprint=SCHEMA.fingerprint())
    snapshot = msgspec.structs.replace(snapshot, content=content)
    whole = read_snapshot(store, snapshot, SCHEMA, **options)
    sliced = pa.Table.from_batches(snapshot_batches(store, snapshot, SCHEMA, memory_bytes=1, **options))
    assert sliced.equals(whole)
    assert sliced.schema == batches_schema(SCHEMA, options.get("columns"))
    found = dict(zip(whole["event_id"].to_pylist(), whole["probabilities"].to_pylist(maps_as_pydicts="strict"), strict=True))
    assert found == {event_id(0, n): None if n < 100 or n % 5 == 0 else class_probabilities(n) for n in range(min(known, ROWS))}


def test_copies_that_differ_in_nothing_else_are_told_apart_whatever_the_order_of_files():
    one = lake_inferences(SCHEMA, 0, 0, 1)
    copies = [one] * 3
    for i, value in enumerate([None, [("apple", 0.5), ("pear", 0.5)], [("apple", 0.25), ("pear", 0.75)]]):
        copies[i] = one.set_column(
            one.schema.get_field_index("probabilities"), CLASS_PROBABILITIES, pa.array([value], CLASS_PROBABILITIES.type)
        )
    truth = labels(0, 1)
    chosen = [join(pa.concat_tables(order), truth) for order in (copies, copies[::-1], [copies[1], copies[0], copies[2]])]
    assert chosen[0].equals(chosen[1])
    assert chosen[0].equals(chosen[2])
    with duckdb.connect() as connection:  # and it is what the contract says in SQL
        connection.register("inferences", pa.concat_tables(copies))
        connection.register("labels", truth)
        (batch,) = connection.sql(join_query(WIDE, truth.schema, None, keep_unlabelled=False)).to_arrow_reader()
    rows = pa.Table.from_batches([counted(batch, None)])
    assert rows.cast(chosen[0].schema).equals(chosen[0])
    assert chosen[0]["label_time"].to_pylist() == [event_time(0) + timedelta(seconds=300)]
