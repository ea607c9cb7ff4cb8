"""Messages that are read again after a crash: offsets alone tell those apart whose rows name no requests."""

import pyarrow as pa
from tests.unit.monitoring.traffic import HOUR, REQUESTS, START, make_profile, make_project, make_rows, window

from driftloop.contracts.headers import watermark_header
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import PartitionState, decode_state
from driftloop.rows.arrow_stream import encode_table
from driftloop.statistics.histograms import Counter

PROJECT = make_project()
COUNTER = Counter(make_profile(PROJECT, 1))


def new_fold(state: PartitionState | None = None) -> PartitionFold:
    return PartitionFold(PROJECT, 0, 1, lambda version: ("1" * 64, COUNTER), state or PartitionState(topic_id="t"), REQUESTS)


def test_rows_without_a_range_count_once_however_often_their_message_is_read() -> None:
    """Rows by HTTP: nothing but the message's offset says that they were counted."""
    by_http = encode_table(make_rows(PROJECT, [START, START + HOUR / 2], request_offset=pa.nulls(2, pa.int64())))
    fold = new_fold()
    fold.add(0, by_http, ())
    fold = new_fold(decode_state(fold.state().encode()))
    assert fold.add(0, by_http, ()) == 0
    fold.add(1, None, (watermark_header(START + HOUR),))
    [closed] = fold.drain()
    assert (closed.window, closed.rows) == (window(0), 2)
