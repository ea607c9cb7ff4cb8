"""Which rows a join gives, and in which order."""

from datetime import timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.lake_rows import lake_inferences, lake_labels
from tests.support.traffic import event_id, event_time, small_schema

from driftloop.lake.join import JoinCounts, counted, join, join_query
from driftloop.lake.label_times import UNDATED_FIELD
from driftloop.lake.row_cut import FIRST_RULE
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


def test_a_row_of_the_stream_counts_before_one_that_came_by_http_with_its_id():
    """Whoever calls the HTTP edge chooses the ids: a guessed one must not put other features under an honest label."""
    honest = lake_inferences(SCHEMA, 0, 0, 1)
    guessed = changed(honest, scored_at=event_time(-60), request_offset=None, amount=666.0)
    for order in ([honest, guessed], [guessed, honest]):
        (row,) = join(pa.concat_tables(order), lake_labels(SCHEMA, 0, 0, 1)).to_pylist()
        assert row["amount"] == 0.0
        (as_it_was,) = join(pa.concat_tables(order), lake_labels(SCHEMA, 0, 0, 1), rule=FIRST_RULE).to_pylist()
        assert as_it_was["amount"] == 666.0, "a snapshot that was pinned under the first rule keeps its rows"


def test_of_rows_that_all_came_by_http_the_first_counts():
    first = changed(lake_inferences(SCHEMA, 0, 0, 1), request_offset=None)
    again = changed(first, scored_at=event_time(60), amount=9.0)
    (row,) = join(pa.concat_tables([again, first]), lake_labels(SCHEMA, 0, 0, 1)).to_pylist()
    assert row["amount"] == 0.0


def test_a_label_that_is_dated_wrongly_counts_after_every_other_and_alone_all_the_same():
    label = lake_labels(SCHEMA, 0, 0, 1)
    wrong = changed(label, label=False, label_time=event_time(10**9)).append_column(UNDATED_FIELD, pa.array([True]))
    right = label.append_column(UNDATED_FIELD, pa.array([False]))
    for order in ([wrong, right], [right, wrong]):
        assert join(lake_inferences(SCHEMA, 0, 0, 1), pa.concat_tables(order))["label"].to_pylist() == [True]
    assert join(lake_inferences(SCHEMA, 0, 0, 1), wrong)["label"].to_pylist() == [False]


def test_labels_without_an_inference_and_with_another_event_time_are_counted():
    inferences, labels, counts = lake_inferences(SCHEMA, 0, 0, 4), lake_labels(SCHEMA, 0, 2, 9), JoinCounts()
    moved = pa.concat_tables([labels.slice(0, 1), changed(labels.slice(1, 1), event_time=event_time(77)), labels.slice(2)])
    join(inferences, moved, counts=counts)
    assert (counts.labels, counts.joined, counts.other_time) == (7, 2, 1)


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
            query, counts = join_query(inferences.schema, labels.schema, None, keep_unlabelled=keep), JoinCounts()
            rows = [counted(batch, counts) for batch in connection.sql(query).to_arrow_reader(5)]
        in_memory = JoinCounts()
        joined = join(inferences, labels, keep_unlabelled=keep, counts=in_memory)
        assert joined.equals(pa.Table.from_batches([batch.cast(expected.schema) for batch in rows], expected.schema))
        assert (counts.joined, counts.other_time) == (in_memory.joined, in_memory.other_time)
