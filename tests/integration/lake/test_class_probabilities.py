"""The column of class probabilities in a table of the lake: added to one of before, merged, pinned, read by others."""

import msgspec
import pyarrow as pa
import pytest
from tests.support.lake_rows import flush_of, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time, several_schema
from tests.unit.lake.test_stored_probabilities import said, with_probabilities

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.schema import Feature
from driftloop.contracts.values import Window
from driftloop.lake.commit import commit, store_files
from driftloop.lake.compaction import merge, swap
from driftloop.lake.compaction_plan import CompactionRules, plan
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import read_snapshot
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import lake_schema
from driftloop_monitor.lake_view import LakeView

COLUMNS = ("event_time", "prediction", "score", "model_version", PROBABILITIES)


@pytest.fixture
def schema(unique):
    return several_schema(f"p-{unique}")


def append(store, table, rows, start):
    flush = flush_of(rows, 0, start, start + rows.num_rows)
    store_files(store, table, flush)
    commit(table, store, flush)


def by_id(rows, name=PROBABILITIES):
    return dict(zip(rows["event_id"].to_pylist(), rows[name].to_pylist(maps_as_pydicts="strict"), strict=True))


def expected(start, end):
    return {event_id(0, n): None if n < start or n % 5 == 0 else said(n) for n in range(end)}


def test_a_table_of_before_gains_the_column_and_goes_through_everything(settings, store, schema, open_table):
    wanted = lake_schema(schema, "inferences")
    before = pa.schema([field for field in wanted if field.name != PROBABILITIES])
    old = LakeTable.open(settings, schema.stream, "inferences", before)
    append(store, old, lake_inferences(schema, 0, 0, 10).drop_columns([PROBABILITIES]), 0)
    labels = open_table("labels")
    append(store, labels, lake_labels(schema, 0, 0, 30, value="pear"), 0)
    window = Window(start=event_time(0), end=event_time(30))
    view = LakeView(settings, schema.stream, "id", 1, COLUMNS)
    view.refresh()
    assert PROBABILITIES not in view.rows(window).column_names  # ingest has not started yet with this program

    table = open_table()
    assert table.schema.field(PROBABILITIES).type == wanted.field(PROBABILITIES).type
    assert open_table().version == table.version
    for at in (10, 20):
        append(store, table, with_probabilities(lake_inferences(schema, 0, at, at + 10)), at)
    assert by_id(table.read(["event_id", PROBABILITIES])) == expected(10, 30)
    assert sum(file.rows for file in table.files(event_time(15), event_time(25))) == 20
    others = table.delta.to_pyarrow_dataset().to_table(filter=pa.compute.field("offset") == 13)
    assert by_id(others) == {event_id(0, 13): said(13)}
    view.refresh()
    assert view.rows(window).column(PROBABILITIES).null_count == 10 + 4

    _, snapshot = pin(store, sample_project(schema), table, labels, start=None, end=event_time(25))
    (group,) = plan(table.files(), CompactionRules(), everything=True)
    swap(table, store, merge(table, store, group))
    assert len(table.files()) == 1
    assert by_id(table.read(["event_id", PROBABILITIES])) == expected(10, 30)
    _, again = pin(store, sample_project(schema), table, labels, start=None, end=event_time(25))
    for pinned in (snapshot, again):  # from the files of then, and from the merged one
        assert by_id(read_snapshot(store, pinned, schema, columns=["event_id", PROBABILITIES])) == expected(10, 25)


def test_a_feature_that_had_the_name_keeps_its_column_and_the_map_gets_another(settings, store, schema, open_table):
    taken = msgspec.structs.replace(schema, features=(*schema.features, Feature(name=PROBABILITIES, type="integer")))
    assert not taken.has_probabilities
    first = LakeTable.open(settings, schema.stream, "inferences", lake_schema(taken, "inferences"))
    column = pa.array(range(10), pa.int64())
    append(store, first, lake_inferences(schema, 0, 0, 10).drop_columns([PROBABILITIES]).append_column(PROBABILITIES, column), 0)

    later = msgspec.structs.replace(schema, version=2)  # without that feature
    table = LakeTable.open(settings, schema.stream, "inferences", lake_schema(later, "inferences"))
    rows = with_probabilities(lake_inferences(schema, 0, 10, 20))
    append(store, table, rows.rename_columns([f"{n}__map" if n == PROBABILITIES else n for n in rows.column_names]), 10)
    found = table.read(["event_id", PROBABILITIES, "probabilities__map"])
    assert by_id(found) == {event_id(0, n): n if n < 10 else None for n in range(20)}
    assert by_id(found, "probabilities__map") == expected(10, 20)
    open_table("labels")
    view = LakeView(settings, schema.stream, "id", 1, COLUMNS)
    view.refresh()
    assert view.rows(Window(start=event_time(0), end=event_time(20))).column(PROBABILITIES).null_count == 10 + 2
    _, snapshot = pin(store, sample_project(later), table, open_table("labels"), start=None, end=event_time(20))
    assert by_id(read_snapshot(store, snapshot, later, columns=["event_id", PROBABILITIES], keep_unlabelled=True)) == expected(10, 20)
