"""Reading a lake table, here and with other people's tools."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from tests.support.lake_rows import flush_of, lake_inferences
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

from driftloop.contracts.schema import Feature
from driftloop.errors import ConfigurationError, ObjectNotFound
from driftloop.lake.commit import commit, store_files
from driftloop.lake.delta import configuration
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import read_snapshot
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import lake_schema


@pytest.fixture
def table(open_table, store, schema):
    """Three files of ten rows."""
    table = open_table()
    for at in (0, 10, 20):
        flush = flush_of(lake_inferences(schema, 0, at, at + 10), 0, at, at + 10)
        store_files(store, table, flush)
        commit(table, store, flush)
    return table


def test_a_table_that_is_not_there_is_not_found(settings, unique):
    with pytest.raises(ObjectNotFound):
        LakeTable.open(settings, f"none-{unique}", "inferences")


def test_reading_an_interval_opens_only_the_files_that_touch_it(table):
    files = table.files(event_time(12), event_time(20))
    assert [(f.rows, f.event_time_min) for f in files] == [(10, event_time(10))]
    rows = table.read(["event_id"], event_time(12), event_time(20))
    assert rows["event_id"].to_pylist() == [event_id(0, n) for n in range(12, 20)]
    assert table.read(start=event_time(30)).num_rows == 0


def test_an_older_version_reads_as_it_was(table, open_table):
    assert table.read(version=1).num_rows == 10
    older = open_table(version=2)
    assert (older.read().num_rows, list(older.cursors().values())) == (20, [20])


@pytest.mark.parametrize(
    "condition",
    [
        pc.field("event_id") == event_id(0, 13),
        pc.field("amount") == 13 / 3,
        pc.field("request_offset") == 13,
        (pc.field("kind") == "k1") & (pc.field("offset") == 13),
        ~pc.field("night") & (pc.field("offset") == 13),
        pc.field("score").is_null() & (pc.field("offset") == 13),
        pc.field("scored_at") == pa.scalar(event_time(13), pa.timestamp("us", "UTC")),
    ],
)
def test_filters_of_other_readers_find_their_rows(table, condition):
    """They trust the statistics; delta-rs takes a column without bounds for one without rows."""
    found = table.delta.to_pyarrow_dataset().to_table(filter=condition)
    assert found["event_id"].to_pylist() == [event_id(0, 13)]


def test_a_new_feature_becomes_a_column_that_old_rows_have_nulls_in(table, settings, schema, store):
    wider = type(schema)(stream=schema.stream, features=(*schema.features, Feature(name="extra", type="integer")), target=schema.target)
    again = LakeTable.open(settings, schema.stream, "inferences", lake_schema(wider, "inferences"))
    assert again.read(["extra"])["extra"].null_count == 30
    assert again.cursors() == table.cursors()
    table.refresh()
    flush = flush_of(lake_inferences(schema, 0, 30, 40), 0, 30, 40)  # of a writer that does not know it yet
    store_files(store, table, flush)
    commit(table, store, flush)
    again.refresh()
    assert again.read(["extra"])["extra"].null_count == 40


def test_a_table_of_an_earlier_program_gets_todays_configuration_once(settings, schema):
    wanted = lake_schema(schema, "inferences")
    old = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "50"}
    DeltaTable.create(settings.table_uri(schema.stream, "inferences"), wanted, configuration=old, storage_options=settings.delta_options)
    table = LakeTable.open(settings, schema.stream, "inferences", wanted)
    assert table.delta.metadata().configuration == old | configuration(wanted)
    assert table.version == LakeTable.open(settings, schema.stream, "inferences", wanted).version == 1


def test_a_feature_that_changes_its_type_gets_a_column_more_and_no_value_is_converted(table, settings, schema, store):
    _, kind, night = schema.features
    retyped = Feature(name="amount", type="category")
    other = type(schema)(stream=schema.stream, features=(retyped, kind, night), target=schema.target, version=2)
    again = LakeTable.open(settings, schema.stream, "inferences", lake_schema(other, "inferences"))
    rows = lake_inferences(schema, 0, 30, 40)
    rows = rows.drop_columns(["amount"]).append_column("amount__category", pa.array([f"a{n}" for n in range(10)]))
    flush = flush_of(rows, 0, 30, 40)
    store_files(store, again, flush)
    commit(again, store, flush)
    found = again.read(["amount", "amount__category"])
    assert (found["amount"].null_count, found["amount__category"].null_count) == (10, 30)
    assert LakeTable.open(settings, schema.stream, "inferences", lake_schema(other, "inferences")).version == again.version
    labels = LakeTable.open(settings, schema.stream, "labels", lake_schema(schema, "labels"))
    _, snapshot = pin(store, sample_project(other), again, labels, start=None, end=event_time(1000))
    pinned = read_snapshot(store, snapshot, other, columns=["amount", "kind"], keep_unlabelled=True)
    assert pinned["amount"].to_pylist() == [None] * 30 + [f"a{n}" for n in range(10)]
    assert pinned["kind"].null_count < 40


def test_a_target_that_changes_its_type_is_refused_by_name(table, settings, schema):
    other = type(schema)(stream=schema.stream, features=schema.features, target=type(schema.target)(name="late", type="number"))
    with pytest.raises(ConfigurationError, match="'prediction' is bool there and double"):
        LakeTable.open(settings, schema.stream, "inferences", lake_schema(other, "inferences"))
