"""Which rows a join gives, and in which order."""

from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.lake_rows import lake_inferences, lake_labels
from tests.support.traffic import event_id, event_time, small_schema

from driftloop.lake.join import join, join_query
from driftloop.rows.schemas import lake_schema

SCHEMA = small_schema("joined")


def changed(rows, **columns):
    """The same rows with other values in some columns."""
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), pa.array([values] * rows.num_rows, rows.schema.field(at).type))
    return rows


def test_rows_come_in_the_order_of_the_contract_with_their_labels():
    inferences = pa.concat_tables([lake_inferences(SCHEMA, 1, 0, 5), lake_inferences(SCHEMA, 0, 0, 5)])
    labels = pa.concat_tables([lake_labels(SCHEMA, 0, 0, 5), lake_labels(SCHEMA, 1, 0, 5, value=False)])
    rows = join(inferences, labels)
    assert rows.column_names == [*inferences.column_names, "label", "label_time"]
    assert rows["event_id"].to_pylist() == [event_id(p, n) for n in range(5) for p in (0, 1)]
    assert rows["label"].to_pylist() == [True, False] * 5
    assert rows.schema.field("event_time").type == pa.timestamp("us", "UTC")


def test_rows_without_a_label_are_left_out_or_kept_with_nulls():
    inferences, labels = lake_inferences(SCHEMA, 0, 0, 4), lake_labels(SCHEMA, 0, 2, 9)
    assert join(inferences, labels)["event_id"].to_pylist() == [event_id(0, 2), event_id(0, 3)]
    kept = join(inferences, labels, columns=["event_id"], keep_unlabelled=True)
    assert kept.column_names == ["event_id", "label", "label_time"]
    assert kept["label"].to_pylist() == [None, None, True, True]


def test_the_inference_that_was_scored_first_counts():
    first = lake_inferences(SCHEMA, 1, 0, 1)
    again = changed(first, scored_at=event_time(60), partition=0, amount=99.0)
    (row,) = join(pa.concat_tables([again, first]), lake_labels(SCHEMA, 1, 0, 1)).to_pylist()
    assert (row["amount"], row["partition"]) == (0.0, 1)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ({"label_time": event_time(900)}, {"label_time": event_time(800), "partition": 9, "offset": 9}),
        ({"partition": 2, "offset": 0}, {"partition": 1, "offset": 9}),
        ({"offset": 8}, {"offset": 7}),
    ],
)
def test_the_newest_label_counts(newer, older):
    label = lake_labels(SCHEMA, 0, 0, 1)
    copies = [changed(label, label=True, **newer), changed(label, label=False, **older)]
    for order in (copies, copies[::-1]):
        assert join(lake_inferences(SCHEMA, 0, 0, 1), pa.concat_tables(order))["label"].to_pylist() == [True]


rows_of_few_events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 5), st.integers(0, 2), st.sampled_from([0.0, 1.0])), max_size=20
)


@settings(deadline=None, max_examples=20)
@given(rows_of_few_events, rows_of_few_events, st.randoms())
def test_the_order_of_files_changes_nothing(scored, labelled, random):
    inferences, labels = lake_schema(SCHEMA, "inferences").empty_table(), lake_schema(SCHEMA, "labels").empty_table()
    for n, partition, offset, delay, amount in scored:
        copy = lake_inferences(SCHEMA, 0, n, n + 1)
        scored_at = event_time(n) + timedelta(seconds=delay)
        inferences = pa.concat_tables([inferences, changed(copy, partition=partition, offset=offset, scored_at=scored_at, amount=amount)])
    for n, partition, offset, delay, value in labelled:
        copy = lake_labels(SCHEMA, 0, n, n + 1, delay_seconds=delay)
        labels = pa.concat_tables([labels, changed(copy, partition=partition, offset=offset, label=bool(value))])
    expected = join(inferences, labels)

    def shuffled(rows):
        return rows.take(pa.array(random.sample(range(rows.num_rows), rows.num_rows), pa.int64()))

    assert join(shuffled(inferences), shuffled(labels)).equals(expected)
    assert expected.num_rows == len({n for n, *_ in scored} & {n for n, *_ in labelled})
    for keep in (False, True):  # and it is what the contract says in SQL
        with duckdb.connect() as connection:
            connection.register("inferences", inferences)
            connection.register("labels", labels)
            rows = connection.sql(join_query(inferences.schema, None, keep_unlabelled=keep)).to_arrow_table()
        assert join(inferences, labels, keep_unlabelled=keep).equals(rows.cast(expected.schema))
