"""A table that an earlier release filled: read on, appended to, pinned and looked up in as if it had always been written so."""

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from tests.support.earlier_lake import earlier_commit
from tests.support.lake_rows import TOPIC_ID, append, flush_of, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

from driftloop.datasets.as_of import known_at, known_below
from driftloop.datasets.dataset import table_rows
from driftloop.datasets.versions import newest_versions
from driftloop.lake.commit import CursorsMoved, commit, store_files
from driftloop.lake.cursors import app_id
from driftloop.lake.delta import CONFIGURATION
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import read_snapshot
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import lake_schema


@pytest.fixture
def tables(settings, schema, store):
    """Thirty rows in three commits each, by a release that declared no statistics."""
    opened = []
    for name, rows in (("inferences", lake_inferences), ("labels", lake_labels)):
        wanted = lake_schema(schema, name)
        DeltaTable.create(
            settings.table_uri(schema.stream, name), wanted, configuration=CONFIGURATION, storage_options=settings.delta_options
        )
        table = LakeTable.open(settings, schema.stream, name)
        for at in (0, 10, 20):
            topic = f"{schema.stream}.{name}"
            earlier_commit(store, table, flush_of(rows(schema, 0, at, at + 10), 0, at, at + 10, mark=event_time(at), topic=topic))
        opened.append(table)
    return opened


def test_it_is_filled_on_from_where_it_stood(tables, open_table, store, schema):
    mine, twin = open_table(), open_table()
    assert (mine.cursors(), mine.watermarks()) == ({app_id(TOPIC_ID, 0): 30}, {0: event_time(20)})
    append(store, mine, lake_inferences(schema, 0, 30, 40), 30)
    append(store, mine, lake_inferences(schema, 1, 0, 5), 0, partition=1)
    assert open_table().cursors() == mine.cursors() == {app_id(TOPIC_ID, 0): 40, app_id(TOPIC_ID, 1): 5}
    assert open_table().watermarks() == {0: event_time(20)}
    assert [(c.start, c.version) for c in open_table().positions().values()] == [(0, mine.version - 1), (0, mine.version)]
    with pytest.raises(CursorsMoved):
        append(store, twin, lake_inferences(schema, 0, 30, 35), 30)


def test_a_writer_of_that_release_which_wakes_up_is_fenced_by_what_it_compares(tables, open_table, store, schema):
    old = open_table()
    append(store, open_table(), lake_inferences(schema, 0, 30, 40), 30)
    old.refresh()
    assert old.delta.transaction_version(app_id(TOPIC_ID, 0)) == 40


@pytest.mark.parametrize(
    "condition", [pc.field("event_id") == event_id(0, 13), pc.field("amount") == 13 / 3, pc.field("request_offset") == 33]
)
def test_other_readers_find_rows_in_files_of_either_kind(tables, open_table, store, schema, condition):
    table = open_table()
    append(store, table, lake_inferences(schema, 0, 30, 40), 30)
    for _ in range(2):
        assert table.delta.to_pyarrow_dataset().to_table(filter=condition).num_rows == 1
        table.delta.create_checkpoint()
        table = open_table()


def test_versions_offsets_and_moments_of_then_are_known(tables, open_table, store, schema):
    table = open_table()
    append(store, table, lake_inferences(schema, 0, 30, 40), 30)
    moment = table.note(2).at
    assert _count(known_at(table, moment)) == 20
    assert _count(known_below(table, {0: 13})) == 13
    assert [(v.operation, v.rows) for v in newest_versions(table, 10) if v.ranges] == [("WRITE", 10)] * 4


def test_a_snapshot_pinned_then_and_one_pinned_now_hold_what_they_did(tables, open_table, store, schema):
    project = sample_project(schema)
    _, before = pin(store, project, *tables, start=None, end=event_time(25))
    rows = read_snapshot(store, before, schema)
    labels = open_table("labels")
    append(store, labels, lake_labels(schema, 0, 30, 40), 30)
    _, after = pin(store, project, open_table(), labels, start=None, end=event_time(25))
    assert (rows.num_rows, read_snapshot(store, before, schema)) == (25, rows)
    assert read_snapshot(store, after, schema).equals(rows)


def test_an_unknown_outcome_of_then_is_found_by_its_commit(tables, open_table, store, schema):
    table = open_table()
    flush = flush_of(lake_inferences(schema, 0, 30, 40), 0, 30, 40)
    store_files(store, table, flush)
    first = commit(table, store, flush)
    assert commit(open_table(), store, flush) == first


def _count(known):
    _, batches = table_rows(known, columns=["event_id"])
    return sum(batch.num_rows for batch in batches(1000))
