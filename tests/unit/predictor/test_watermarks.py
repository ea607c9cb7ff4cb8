"""How far a predictor promises that a partition has come: never beyond the clock, and also where nothing comes at all."""

from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import START, request_json

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, request_range, watermark, watermark_header
from driftloop.contracts.topics import inferences, quarantine
from driftloop.contracts.windows import CLOCK_SKEW
from driftloop.ports import TopicPartition
from driftloop.rows.arrow_stream import encode_table
from driftloop.service.quarantine import read_quarantined
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.idle import IdlePartitions, Seen

LATENESS = timedelta(seconds=10)
FAR = "9999-06-01T00:00:00Z"
TP, OTHER = TopicPartition("r", 0), TopicPartition("r", 1)


@pytest.fixture
def edge() -> MemoryEdge:
    return MemoryEdge()


def started(edge: MemoryEdge, partitions: tuple[int, ...] = (0, 1), **options: object) -> RequestHandler:
    handler = edge.handler(**options)  # type: ignore[arg-type]
    handler.starting_offsets(frozenset(edge.tp(p) for p in partitions))
    return handler


def pass_time(edge: MemoryEdge, handler: RequestHandler, seconds: float = 61) -> None:
    edge.now += seconds
    edge.clock.time += timedelta(seconds=seconds)
    handler.on_tick()
    handler.on_tick()


def promised(edge: MemoryEdge, partition: int) -> list[datetime]:
    return [mark for r in edge.written(partition) if (mark := watermark(r.headers)) is not None]


def test_a_row_of_the_year_9999_moves_no_watermark(edge: MemoryEdge) -> None:
    edge.send([request_json(0), request_json(1, event_time=FAR)])
    handler = started(edge, idle_seconds=60)
    edge.feed(handler, 0)
    pass_time(edge, handler)
    assert promised(edge, 0) == promised(edge, 1) == [START - LATENESS]


def test_a_clock_that_is_a_little_ahead_promises_no_time_that_is_yet_to_come(edge: MemoryEdge) -> None:
    ahead = edge.clock.time + CLOCK_SKEW - timedelta(seconds=1)
    edge.send([request_json(0, event_time=ahead.isoformat())])
    handler = started(edge, idle_seconds=60)
    edge.feed(handler, 0)
    pass_time(edge, handler)
    assert promised(edge, 1) == [edge.clock.time - LATENESS]


def test_a_watermark_from_the_future_is_quarantined_and_says_what_to_declare(edge: MemoryEdge) -> None:
    edge.send([b""], headers=(watermark_header(edge.clock.time + CLOCK_SKEW + timedelta(seconds=1)),))
    edge.send([b""], headers=(watermark_header(edge.clock.time + CLOCK_SKEW),))
    edge.feed(started(edge), 0)
    assert promised(edge, 0) == [edge.clock.time + CLOCK_SKEW]
    (found,) = [read_quarantined(r) for r in edge.broker.records(quarantine("edge"))]
    assert found.offset == 0
    assert "lies in the future" in found.reason
    assert "[stream] clock = 'replay'" in found.reason


def test_a_project_with_a_replay_clock_may_be_ahead(edge: MemoryEdge) -> None:
    edge.project = msgspec.structs.replace(edge.project, clock="replay")
    future = datetime(2126, 1, 1, tzinfo=UTC)
    edge.send([request_json(0, event_time=future.isoformat())])
    edge.send([b""], partition=1, headers=(watermark_header(future),))
    handler = started(edge, idle_seconds=60)
    for partition in (0, 1):
        edge.feed(handler, partition)
    pass_time(edge, handler)
    assert promised(edge, 0) == [future - LATENESS]
    assert promised(edge, 1) == [future]


def test_a_predictor_that_owns_only_silent_partitions_takes_the_progress_of_the_others_from_the_stream(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(100)], partition=0)
    busy = started(edge, partitions=(0,))
    edge.feed(busy, 0)
    silent = started(edge, partitions=(1,), idle_seconds=60)
    pass_time(edge, silent)
    assert promised(edge, 1) == [START + timedelta(seconds=99) - LATENESS]
    edge.send([request_json(n) for n in range(100, 200)], partition=0)
    edge.feed(busy, 0, start=100)
    pass_time(edge, silent)
    assert promised(edge, 1)[-1] == START + timedelta(seconds=199) - LATENESS


def named_twice() -> bytes:
    """Rows whose event times stand in two columns of one name."""
    times = pa.array([START + timedelta(days=1)], pa.timestamp("us", tz="UTC"))
    return encode_table(pa.table([times, times, times], ["event_time", "event_time", "scored_at"]))


def test_progress_is_also_taken_from_rows_that_came_by_http_and_from_no_message_of_a_stranger(edge: MemoryEdge) -> None:
    edge.send([request_json(5)], partition=0)
    edge.feed(started(edge, partitions=(0,)), 0)
    rows = edge.written(0)[-1].value
    strangers = edge.broker.producer()
    strangers.send(inferences("edge"), rows, partition=0, headers=((CONTENT_TYPE, ARROW.encode()),))
    strangers.send(inferences("edge"), b"\xff" * 100, partition=0)
    strangers.send(inferences("edge"), None, key=b"k", partition=0)
    strangers.send(inferences("edge"), named_twice(), partition=0)
    silent = started(edge, partitions=(1,), idle_seconds=60)
    pass_time(edge, silent)
    assert promised(edge, 1) == [START + timedelta(seconds=5) - LATENESS]


def test_rows_of_a_stranger_without_a_time_stop_no_silent_predictor_of_a_replay(edge: MemoryEdge) -> None:
    """Where times may lie ahead, none is compared with its scoring."""
    edge.project = msgspec.structs.replace(edge.project, clock="replay")
    edge.send([request_json(5)], partition=0)
    edge.feed(started(edge, partitions=(0,)), 0)
    nulls = pa.nulls(1, pa.timestamp("us", tz="UTC"))
    value = encode_table(pa.table([nulls, nulls], ["event_time", "scored_at"]))
    edge.broker.producer().send(inferences("edge"), value, partition=0, headers=((CONTENT_TYPE, ARROW.encode()),))
    silent = started(edge, partitions=(1,), idle_seconds=60)
    pass_time(edge, silent)
    assert promised(edge, 1) == [START + timedelta(seconds=5) - LATENESS]


def test_a_whole_stream_that_falls_silent_closes_its_windows_one_grace_later(edge: MemoryEdge) -> None:
    now = edge.clock.time
    edge.send([request_json(0, event_time=now.isoformat())])
    handler = started(edge, idle_seconds=60, grace=timedelta(hours=1))
    edge.feed(handler, 0)
    for _ in range(3):
        pass_time(edge, handler, 1800)
    assert promised(edge, 1) == [now - LATENESS, now + timedelta(minutes=30) - LATENESS]
    before = len(edge.written(1))
    for _ in range(50):
        pass_time(edge, handler, 1)
    assert len(edge.written(1)) == before  # not a message a second while nothing happens


def test_a_stream_of_old_events_that_falls_silent_promises_nothing_more(edge: MemoryEdge) -> None:
    edge.send([request_json(0)])  # its time is hours before the clock: a replay that pauses
    handler = started(edge, idle_seconds=60, grace=timedelta(hours=1))
    edge.feed(handler, 0)
    for _ in range(100):
        pass_time(edge, handler, 3600)
    assert promised(edge, 1) == [START - LATENESS]


def test_offsets_of_aborted_transactions_do_not_keep_a_partition_from_being_idle_and_are_accounted_for(edge: MemoryEdge) -> None:
    edge.send([request_json(0)])
    edge.broker.abort(edge.tp(0), 5000)
    handler = started(edge, idle_seconds=60)
    edge.feed(handler, 0)
    handler.on_position(edge.tp(0), 5002)  # as the worker says once it has read there
    pass_time(edge, handler)
    assert promised(edge, 0) == [START - LATENESS]
    assert (edge.ranges(0)[-1].start, edge.ranges(0)[-1].end) == (1, 5002)
    assert handler.durable_offsets()[edge.tp(0)] == 5002
    assert started(edge).next_offsets()[0] == 5002


def test_an_idle_message_says_where_the_requests_have_got_to(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(3)])
    handler = started(edge, idle_seconds=60)
    edge.feed(handler, 0)
    pass_time(edge, handler)
    accounted = request_range(edge.written(0)[-1].headers)
    assert accounted is not None
    assert (accounted.start, accounted.end) == (3, 3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.timedeltas(timedelta(days=-9000), timedelta(days=9000)), st.timedeltas(timedelta(0), timedelta(days=9)))),
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
)
def test_no_promise_lies_in_the_future(rows: list[tuple[timedelta, timedelta]], later: timedelta, grace: timedelta | None) -> None:
    idle, wall = IdlePartitions(60, LATENESS, grace=grace), START
    idle.own(TP, 0.0)
    for event, pause in rows:
        wall += pause
        if event <= CLOCK_SKEW:
            idle.saw_rows(Seen(wall + event, wall))
    wall += later
    for mark in idle.due(1000.0, wall).values():
        assert mark <= wall - LATENESS
