"""Tables of numbers, and cells and points that stand for many windows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.contracts.values import Window
from driftloop_console.columns import Columns, milliseconds, moment
from driftloop_console.drift_table import AT_THRESHOLD, MOST, UNJUDGED, cell, ratio_of
from driftloop_console.pooling import groups, highest, lowest, pooled, weighted

START = datetime(2026, 1, 1, tzinfo=UTC)


def window(n: int) -> Window:
    return Window(start=START + timedelta(hours=n), end=START + timedelta(hours=n + 1))


def table(max_rows: int = 1000) -> Columns:
    made = Columns({"value": "f8"}, {"cells": "u1"}, max_rows=max_rows)
    made.widen(3)
    return made


@given(st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 3)), max_size=60))
def test_rows_are_in_order_of_window_and_version_each_once_however_they_come(keys: list[tuple[int, int | None]]) -> None:
    made, last = table(), {}
    for value, (n, version) in enumerate(keys):
        row, known = made.row_of(window(n), version)
        assert known == ((n, version) in last)
        last[n, version] = value
        made.set(row, value=value)
        made.set_wide(row, "cells", np.array([value % 256] * 3))
    expected = sorted(last.items(), key=lambda item: (item[0][0], -1 if item[0][1] is None else item[0][1]))
    assert made["value"].tolist() == [value for _, value in expected]
    assert made["cells"][:, : made.width].tolist() == [[value % 256] * 3 for _, value in expected]
    again = table()
    again.restore(made.stored())
    assert again["value"].tolist() == made["value"].tolist()
    assert again["start"].tolist() == made["start"].tolist()


def test_the_oldest_rows_go_when_there_are_too_many() -> None:
    made = table(max_rows=100)
    for n in range(1000):
        made.set(made.row_of(window(n), 1)[0], value=n)
    assert 90 <= made.rows <= 100
    assert made["value"].tolist() == list(range(1000 - made.rows, 1000))


def test_a_late_column_is_zero_in_the_rows_before() -> None:
    made = table()
    made.set_wide(made.row_of(window(0), 1)[0], "cells", np.array([1, 2, 3]))
    made.widen(10)
    made.set_wide(made.row_of(window(1), 1)[0], "cells", np.arange(10))
    assert made["cells"][0, :10].tolist() == [1, 2, 3] + [0] * 7
    assert made["cells"][1, :10].tolist() == list(range(10))


def test_bytes_of_other_columns_are_no_table() -> None:
    with pytest.raises(ValueError, match="other columns"):
        Columns({"other": "f8"}, max_rows=10).restore(table().stored())


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_moment_is_what_was_counted(time: datetime) -> None:
    at = time.replace(tzinfo=UTC, microsecond=time.microsecond // 1000 * 1000)
    assert moment(milliseconds(at)) == at


def test_a_range_holds_the_windows_that_begin_in_it() -> None:
    made = table()
    for n in range(10):
        made.row_of(window(n), 1)
    assert made.between(milliseconds(window(3).start), milliseconds(window(5).start)) == slice(3, 5)
    assert made.between(None, None) == slice(0, 10)
    assert made.between(milliseconds(window(20).start), None) == slice(10, 10)


def test_a_cell_says_how_much_of_the_threshold_was_used() -> None:
    assert cell(None) == UNJUDGED
    assert cell(1.0) == AT_THRESHOLD
    assert cell(1e9) == MOST
    assert ratio_of(np.array([0, 1, cell(0.5)], "u1")).tolist()[2] == pytest.approx(0.5)


@given(st.integers(1, 500), st.integers(1, 50))
def test_no_alarm_is_lost_when_windows_are_put_together(rows: int, points: int) -> None:
    cells = np.random.default_rng(rows).integers(0, 256, (rows, 4)).astype("u1")
    starts = groups(rows, points)
    assert len(starts) == min(rows, points)
    assert pooled(cells, starts).max(axis=0).tolist() == cells.max(axis=0).tolist()
    sizes = np.diff(np.append(starts, rows))
    assert sizes.max() - sizes.min() <= 1


def test_a_point_is_the_mean_of_what_is_known_and_as_wide_as_all_of_it() -> None:
    values, starts = np.array([1.0, np.nan, 3.0, np.nan]), np.array([0, 2])
    assert weighted(np.array([1.0, np.nan, 3.0, 5.0]), np.array([1, 9, 1, 3]), starts).tolist() == [1.0, 4.5]
    assert lowest(values, starts).tolist() == [1.0, 3.0]
    assert highest(values, starts).tolist() == [1.0, 3.0]
    assert np.isnan(weighted(np.array([np.nan, np.nan]), np.ones(2), np.array([0]))).all()
