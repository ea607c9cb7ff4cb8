"""Categories that performance is told by are read with a window's rows, from whatever column holds them."""

import msgspec
import pyarrow as pa
import pytest
from tests.support.lake_rows import flush_of, lake_inferences, lake_labels
from tests.support.traffic import event_time, small_schema

from driftloop.contracts.evolution import retyped_column
from driftloop.contracts.schema import Feature
from driftloop.contracts.values import Window
from driftloop.lake.commit import commit, store_files
from driftloop.lake.table import LakeTable
from driftloop.monitoring.performance import COLUMNS
from driftloop.rows.schemas import lake_schema
from driftloop_monitor.lake_view import LakeView

WINDOW = Window(start=event_time(0), end=event_time(20))


@pytest.fixture
def schema(unique):
    return small_schema(f"s-{unique}")


def append(store, table, rows, start):
    flush = flush_of(rows, 0, start, start + rows.num_rows)
    store_files(store, table, flush)
    commit(table, store, flush)


def seen(settings, schema, *names):
    view = LakeView(settings, schema.stream, "id", 1, (*COLUMNS, *names))
    view.refresh()
    return view.rows(WINDOW)


def with_column(rows: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    return rows.append_column(name, pa.array(values, pa.string()))


def test_a_category_is_read_and_one_that_the_table_does_not_have_yet_is_left_out(settings, store, schema, open_table):
    wider = msgspec.structs.replace(schema, features=(*schema.features, Feature(name="shade", type="category", required=False)))
    table = LakeTable.open(settings, schema.stream, "inferences", lake_schema(wider, "inferences"))
    shades = ["light", None] * 10
    append(store, table, with_column(lake_inferences(schema, 0, 0, 20), "shade", shades).select(table.schema.names), 0)
    append(store, open_table("labels"), lake_labels(schema, 0, 0, 20), 0)
    rows = seen(settings, schema, "shade", "origin")
    assert rows.column("shade").to_pylist() == shades
    assert "origin" not in rows.column_names
    assert rows.column("label").null_count == 0


def test_a_feature_that_became_a_category_is_read_from_its_later_column(settings, store, schema, open_table):
    later = retyped_column("amount", "category")
    names = [*lake_schema(schema, "inferences").names, later]
    wanted = pa.schema([*lake_schema(schema, "inferences"), pa.field(later, pa.string())])
    table = LakeTable.open(settings, schema.stream, "inferences", wanted)
    append(store, table, with_column(lake_inferences(schema, 0, 0, 20), later, ["low", "high"] * 10).select(names), 0)
    open_table("labels")
    assert seen(settings, schema, "amount").column("amount").to_pylist() == ["low", "high"] * 10
