"""A run that names no window is judged on the newest one of the lake whose labels are all but complete."""

from datetime import timedelta

import pytest
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.traffic import event_time

from driftloop.contracts.windows import WindowPlan
from driftloop_trainer.pinning import newest_labelled, window_to_judge_on

STEP = event_time(1) - event_time(0)
WINDOW = timedelta(hours=1)
ROWS = int(8 * WINDOW / STEP)  # eight windows or nine: the first may begin before its rows
PLAN = WindowPlan(every=WINDOW)


@pytest.fixture
def tables(open_table, store, schema):
    """Labels of all rows but the last two windows', and of the last but one a few that came early."""
    inferences, labels = open_table("inferences"), open_table("labels")
    append(store, inferences, lake_inferences(schema, 0, 0, ROWS), 0)
    per_window = ROWS // 8
    append(store, labels, lake_labels(schema, 0, 0, ROWS - 2 * per_window), 0)
    append(store, labels, lake_labels(schema, 0, ROWS - 2 * per_window, ROWS - 2 * per_window + per_window // 10), ROWS - 2 * per_window)
    return inferences, labels


def test_a_window_with_a_few_early_labels_is_not_the_one(tables):
    newest, _ = newest_labelled(PLAN, *tables)
    window, end = window_to_judge_on(PLAN, *tables)
    assert (window.end, end) == (newest.start, newest.start)


def test_where_the_first_rows_are_no_window_is_looked_for_before_them(tables):
    inferences, labels = tables
    earlier = WindowPlan(every=timedelta(days=365))
    assert window_to_judge_on(earlier, inferences, labels)[0] == earlier.window_of(event_time(0))
