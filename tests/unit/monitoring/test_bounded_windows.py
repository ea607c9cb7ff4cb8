"""However far apart the times of a stranger's rows, and however far a watermark jumps, state and output stay small."""

from datetime import timedelta

import msgspec
import pyarrow as pa
from tests.unit.monitoring.traffic import HOUR, REQUESTS, START, make_profile, make_project, make_rows, message, window

from driftloop.monitoring.partition_fold import MAX_EMPTY_WINDOWS, MAX_WINDOWS, PartitionFold
from driftloop.monitoring.partition_state import PartitionState, decode_state
from driftloop.statistics.histograms import Counter

PATIENT = msgspec.structs.replace(make_project(), allowed_lateness=timedelta(days=365))  # rows alone close no window here
COUNTER = Counter(make_profile(PATIENT, 1))
MORE = 25
YEAR = 365 * 24  # windows


def new_fold(state: PartitionState | None = None) -> PartitionFold:
    return PartitionFold(PATIENT, 0, 1, lambda version: ("1" * 64, COUNTER), state or PartitionState(topic_id="t"), REQUESTS)


def one_row_in_each(windows: int) -> pa.Table:
    return make_rows(PATIENT, [START + i * HOUR for i in range(windows)])


def test_rows_of_more_windows_than_are_kept_open_no_more_and_are_counted() -> None:
    fold = new_fold()
    fold.add(0, *message(one_row_in_each(MAX_WINDOWS + MORE), 0))
    state = fold.state()
    assert len(state.windows) == MAX_WINDOWS
    assert sum(kept.rows for kept in state.windows) == MAX_WINDOWS
    assert state.too_early_rows == MORE


def test_the_bound_holds_over_messages_and_restarts() -> None:
    fold = new_fold()
    for offset, part in enumerate(one_row_in_each(MAX_WINDOWS + MORE).to_batches(max_chunksize=100)):
        rows = make_rows(PATIENT, part.column("event_time").to_pylist(), first_request=100 * offset)
        fold.add(offset, *message(rows, 100 * offset))
        fold = new_fold(decode_state(fold.state().encode()))
    assert len(fold.state().windows) == MAX_WINDOWS


def test_rows_of_a_window_that_is_kept_are_taken_although_no_more_are_opened() -> None:
    fold = new_fold()
    fold.add(0, *message(one_row_in_each(MAX_WINDOWS + 1), 0))
    fold.add(1, *message(make_rows(PATIENT, [START], first_request=MAX_WINDOWS + 1), MAX_WINDOWS + 1))
    first = next(kept for kept in fold.state().windows if kept.window == window(0))
    assert first.rows == 2


def test_a_watermark_that_jumps_a_year_sends_the_last_empty_windows_only() -> None:
    fold = new_fold()
    fold.add(0, *message(make_rows(PATIENT, [START - YEAR * HOUR]), 0))
    fold.add(1, *message(make_rows(PATIENT, []), 1, 1, watermark=START))
    sketches = fold.drain()
    assert [s.window for s in sketches if s.rows] == [window(-YEAR)]
    assert [s.window for s in sketches if not s.rows] == [window(i) for i in range(-MAX_EMPTY_WINDOWS, 0)]
    assert fold.closed_up_to == START
