"""Which labels of earlier releases are dated wrongly: later than the rule began that nobody dates ahead."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from driftloop.lake.cursors import Uncapped, app_id
from driftloop.lake.label_times import SKEW, capped, undated
from driftloop.rows.schemas import TIME

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
LATE, FAR = BEGAN + timedelta(seconds=1), datetime(9999, 12, 1, tzinfo=UTC)


def rows(*found: tuple[datetime, int, int]) -> pa.Table:
    times, partitions, offsets = zip(*found, strict=True)
    return pa.table(
        {"label_time": pa.array(times, TIME), "partition": pa.array(partitions, pa.int32()), "offset": pa.array(offsets, pa.int64())}
    )


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ((FAR, 0, 9), True),
        ((LATE, 0, 9), True),
        ((BEGAN, 0, 9), False),
        ((FAR, 0, 10), False),  # taken up since then: it is as it was sent
        ((FAR, 1, 9), False),
        ((FAR, 2, 0), False),  # a partition of which nothing had been taken up
    ],
)
def test_a_label_from_before_that_is_dated_after(row: tuple[datetime, int, int], wrong: bool) -> None:
    uncapped = Uncapped(until=BEGAN, ends={app_id("T", 0): 10, app_id("T", 1): 5, app_id("earlier", 0): 99})
    assert undated(rows(row), uncapped, "T").to_pylist() == [wrong]


def test_a_file_that_does_not_say_its_topic_is_of_any_of_its_partitions() -> None:
    uncapped = Uncapped(until=BEGAN, ends={app_id("T", 0): 10, app_id("earlier", 0): 99})
    assert undated(rows((FAR, 0, 50), (FAR, 0, 100), (FAR, 1, 0)), uncapped, None).to_pylist() == [True, False, False]


def test_the_cap_is_the_skew_after_the_sending_and_unknown_without_one() -> None:
    times = pa.chunked_array([pa.array([BEGAN, FAR, FAR], TIME)])
    sent = pa.chunked_array([pa.array([BEGAN, BEGAN, None], TIME)])
    assert capped(times, sent).to_pylist() == [BEGAN, BEGAN + SKEW, FAR]
