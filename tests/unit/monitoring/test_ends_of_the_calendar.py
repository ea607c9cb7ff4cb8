"""Rows at either end of the calendar are within the limits of a message, so no later step may stop at them."""

from datetime import timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.unit.monitoring.traffic import REQUESTS, make_profile, make_project, make_rows, message

from driftloop.contracts.windows import WindowPlan
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import PartitionState, decode_state
from driftloop.monitoring.window_index import WindowIndex
from driftloop.ports import TopicPartition
from driftloop.rows.limits import EARLIEST, LATEST
from driftloop.statistics.histograms import Counter
from driftloop_ingest.buffer import Buffer
from driftloop_predictor.idle import IdlePartitions, Seen

PROJECT = msgspec.structs.replace(make_project(), windows=WindowPlan(every=timedelta(days=7)), allowed_lateness=timedelta(days=30))
ENDS = (EARLIEST, LATEST)


@pytest.mark.parametrize("time", ENDS)
def test_the_monitor_counts_them_and_keeps_its_state(time):
    counter = "1" * 64, Counter(make_profile(PROJECT, 1))
    fold = PartitionFold(PROJECT, 0, 1, lambda version: counter, PartitionState(topic_id="t"), REQUESTS)
    rows = make_rows(PROJECT, [time])
    rows = rows.set_column(rows.schema.get_field_index("scored_at"), "scored_at", rows.column("event_time"))  # so that it is not ahead
    assert fold.add(0, *message(rows, 0)) == 1
    stored = decode_state(fold.state().encode())
    again = PartitionFold(PROJECT, 0, 1, lambda version: counter, stored, REQUESTS)
    assert again.state().windows == stored.windows
    assert again.add(1, *message(make_rows(PROJECT, []), 1, 1, watermark=time)) == 0


@pytest.mark.parametrize("time", ENDS)
def test_a_window_that_reaches_beyond_the_calendar_ends_with_it(time):
    plan = WindowPlan(every=timedelta(days=7))
    window, index = plan.window_of(time), WindowIndex(plan)
    assert window.start <= time < window.end
    assert index.window(index.closed_before(time)) == window
    assert index.index(window) == index.closed_before(time)


def test_a_watermark_does_not_fall_out_of_the_calendar():
    buffer = Buffer(TopicPartition("s.labels", 0), "t", 0, first=True)
    buffer.promise_from(pa.chunked_array([pa.array([EARLIEST])]), timedelta(days=30), LATEST)
    assert buffer.watermark < EARLIEST
    idle = IdlePartitions(0.0, timedelta(days=30))
    idle.own(TopicPartition("s.requests", 0), 0.0)
    idle.saw_rows(Seen(EARLIEST, EARLIEST))
    assert list(idle.due(1.0, EARLIEST).values()) == [buffer.watermark]
