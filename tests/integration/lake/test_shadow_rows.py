"""What challengers answered, as the monitor reads it: of a window, with its labels, and only what is new."""

import pyarrow as pa
import pytest
from tests.integration.lake.test_segment_columns import append
from tests.support.lake_rows import lake_labels
from tests.support.traffic import event_time, inference_rows, small_schema

from driftloop.contracts.values import Window
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import SHADOW, shadow_schema
from driftloop_monitor.shadow_view import LOOK_SECONDS, ShadowView

COLUMNS = ("entity", "model_version", "prediction", "score", "champion_model_version", "champion_prediction", "champion_score")
WINDOW = Window(start=event_time(0), end=event_time(20))


@pytest.fixture
def schema(unique):
    return small_schema(f"v-{unique}")


def shadow_rows(schema, start, end, *, score=0.25, offset=0):
    """Answers of challenger 2 beside champion 1; ``offset``: further on in the topic, as a copy of the event would be."""
    rows, n = inference_rows(schema, 0, start, end), end - start
    given = {
        "prediction": [False] * n,
        "score": [score] * n,
        "model_version": [2] * n,
        "challenger_epoch": [1] * n,
        "shadowed_at": [event_time(end)] * n,
        "champion_model_version": [1] * n,
        "champion_prediction": [True] * n,
        "champion_score": [0.75] * n,
        "partition": [0] * n,
        "offset": list(range(start + offset, end + offset)),
    }
    wanted = shadow_schema(schema)
    columns = [pa.array(given[f.name], f.type) if f.name in given else rows.column(f.name) for f in wanted]
    return pa.Table.from_arrays(columns, schema=wanted)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_rows_come_with_their_labels_and_changes_once(settings, store, schema, open_table):
    clock, labels = Clock(), open_table("labels")
    view = ShadowView(settings, schema.stream, COLUMNS, monotonic=clock)
    view.refresh()
    assert view.rows(WINDOW, labels) is None, "no challenger ever"
    assert view.changed() == []

    table = LakeTable.open(settings, schema.stream, SHADOW, shadow_schema(schema))
    append(store, table, shadow_rows(schema, 0, 30), 0)
    append(store, labels, lake_labels(schema, 0, 0, 10), 0)
    view.refresh()
    assert view.rows(WINDOW, labels) is None, "a table that is not there is looked for now and then"
    clock.now += LOOK_SECONDS
    view.refresh()
    assert view.changed() == [(event_time(0), event_time(29))]
    assert view.changed() == []
    rows = view.rows(WINDOW, labels)
    assert rows.num_rows == 20
    assert rows.column("label").null_count == 10
    assert set(rows.column("champion_score").to_pylist()) == {0.75}
    assert view.rows(Window(start=event_time(100), end=event_time(120)), labels) is None

    append(store, table, shadow_rows(schema, 30, 40), 30)
    view.refresh()
    assert view.changed() == [(event_time(30), event_time(39))]


def test_who_starts_beside_a_table_looks_at_every_window_by_itself(settings, store, schema):
    table = LakeTable.open(settings, schema.stream, SHADOW, shadow_schema(schema))
    append(store, table, shadow_rows(schema, 0, 5), 0)
    view = ShadowView(settings, schema.stream, COLUMNS)
    view.refresh()
    assert view.changed() == []


def test_of_copies_of_an_event_the_one_is_compared_that_the_champion_answered_first(settings, store, schema, open_table):
    table = LakeTable.open(settings, schema.stream, SHADOW, shadow_schema(schema))
    append(store, table, shadow_rows(schema, 0, 5), 0)
    append(store, table, shadow_rows(schema, 0, 5, score=0.9, offset=100), 5)
    view = ShadowView(settings, schema.stream, COLUMNS)
    view.refresh()
    rows = view.rows(WINDOW, open_table("labels"))
    assert rows.column("score").to_pylist() == [0.25] * 5
