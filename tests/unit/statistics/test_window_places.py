"""Event times counted in windows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from driftloop.contracts.windows import WindowPlan
from driftloop.monitoring.window_index import WindowIndex
from driftloop.statistics.window_places import window_places

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
REGULAR, CUTS = WindowPlan(every=7 * DAY), WindowPlan(cuts=tuple(START + n * DAY for n in (0, 10, 12, 30)))


def places(plan: WindowPlan, *times: datetime) -> list[float]:
    column = pa.array(times, pa.timestamp("us", tz="UTC"))
    return window_places(np.asarray(column.cast(pa.int64())), plan).tolist()


@pytest.mark.parametrize("plan", [REGULAR, CUTS])
def test_the_whole_part_is_the_windows_index(plan):
    random = np.random.default_rng(0)
    times = [START + timedelta(seconds=float(s)) for s in random.uniform(0, 30 * 86_400, 500)]
    indices = WindowIndex(plan).of_rows(pa.chunked_array([pa.array(times, pa.timestamp("us", tz="UTC"))]))
    assert np.floor(places(plan, *times)).tolist() == indices.tolist()


def test_windows_of_cuts_are_one_long_however_long_they_last():
    assert places(CUTS, START, START + 5 * DAY, START + 11 * DAY, START + 21 * DAY, START + 30 * DAY) == [0, 0.5, 1.5, 2.5, 3]


def test_what_is_before_or_after_all_cuts_counts_in_windows_of_mean_length():
    assert places(CUTS, START - 5 * DAY, START + 50 * DAY) == [-0.5, 5]


def test_regular_windows_count_since_1970():
    assert places(REGULAR, datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 28, 12, tzinfo=UTC)) == [0, -0.5]
