"""Requests to inferences in memory: ranges, order of steps, restarts, twins."""

from datetime import timedelta

import pytest
from tests.integration.predictor.harness import account
from tests.unit.predictor.edge import FailingProducer, MemoryEdge
from tests.unit.predictor.samples import START, request_json

from driftloop.contracts.headers import watermark, watermark_header
from driftloop.contracts.topics import inferences, quarantine
from driftloop.errors import GapError
from driftloop.rows.inferences import MAX_OFFSETS, InferenceDecoder
from driftloop.service.quarantine import read_quarantined
from driftloop_predictor.buffer import MAX_ROWS


@pytest.fixture
def edge() -> MemoryEdge:
    return MemoryEdge()


def test_ranges_follow_one_another_and_name_what_was_quarantined(edge: MemoryEdge) -> None:
    edge.send([request_json(0), b"{", request_json(2)])
    handler = edge.handler()
    assert handler.starting_offsets(edge.tps) == {edge.tp(0): 0, edge.tp(1): 0}
    edge.feed(handler, 0)
    edge.send([b"}"])
    edge.feed(handler, 0, start=3)
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 3, (1,)), (3, 4, (3,))]
    found = [read_quarantined(r) for r in edge.broker.records(quarantine("edge"))]
    assert [(q.offset, q.record.value) for q in found] == [(1, b"{"), (3, b"}")]


def test_offsets_may_be_committed_only_after_the_broker_holds_their_range(edge: MemoryEdge) -> None:
    edge.send([request_json(0)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    edge.now += 1
    handler.on_tick()
    assert len(edge.written(0)) == 1
    assert handler.durable_offsets()[edge.tp(0)] == 0  # sent, not yet flushed
    handler.on_tick()
    assert handler.durable_offsets()[edge.tp(0)] == 1


def test_a_lost_message_ends_the_work_before_a_later_one_of_its_partition_is_sent(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(5 * MAX_ROWS // 2)])
    handler = edge.handler(producer=FailingProducer(edge.broker))
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    with pytest.raises(GapError, match="not delivered"):
        handler.on_tick()
    assert [(r.start, r.end) for r in edge.ranges(0)] == [(0, MAX_ROWS)]
    assert handler.durable_offsets()[edge.tp(0)] == 0


def test_rejected_bytes_are_delivered_before_a_range_names_them(edge: MemoryEdge) -> None:
    edge.send([b"{"])
    handler = edge.handler(producer=FailingProducer(edge.broker))
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    edge.now += 1
    with pytest.raises(GapError):
        handler.on_tick()
    assert edge.ranges(0) == []


def test_a_batch_waits_for_twenty_milliseconds_or_until_it_is_full(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(MAX_ROWS + 1)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    handler.on_tick()
    assert [r.end for r in edge.ranges(0)] == [MAX_ROWS]
    edge.now += 0.019
    handler.on_tick()
    assert [r.end for r in edge.ranges(0)] == [MAX_ROWS]
    edge.now += 0.002
    handler.on_tick()
    assert [r.end for r in edge.ranges(0)] == [MAX_ROWS, MAX_ROWS + 1]


def test_records_taken_twice_are_accounted_for_once(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(10)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    edge.feed(handler, 0)
    edge.feed(handler, 0)
    assert [(r.start, r.end) for r in edge.ranges(0)] == [(0, 10)]


def test_a_watermark_ends_its_batch_and_goes_on_after_its_rows(edge: MemoryEdge) -> None:
    edge.send([request_json(0)])
    edge.send([None], headers=(watermark_header(START + timedelta(hours=1)),))
    edge.send([request_json(1)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    assert [(r.start, r.end) for r in edge.ranges(0)] == [(0, 2), (2, 3)]
    assert [watermark(r.headers) for r in edge.written(0)] == [START + timedelta(hours=1), None]
    assert account(edge.written(0), edge.project).rows.num_rows == 2


def test_the_next_owner_goes_on_behind_the_last_range_past_http_rows_and_other_topic_ids(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(30)])
    first = edge.handler()
    first.starting_offsets(edge.tps)
    edge.feed(first, 0)
    last = edge.written(0)[-1]
    producer = edge.broker.producer()
    for _ in range(50):  # further back than the first look
        producer.send(inferences("edge"), last.value, partition=0)
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 30
    edge.topic_id = "second"
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 0


def test_without_a_range_reading_starts_at_the_beginning_that_is_left(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(5)])
    edge.broker.expire(edge.tp(0), 3)
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 3


def test_a_twin_that_wakes_up_gives_overlaps_that_readers_trim_to_each_row_once(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(100)])
    twin, peer = edge.handler(), edge.handler()
    twin.starting_offsets(edge.tps)
    twin.on_records(edge.tp(0), edge.unread(0))  # and is paused here
    peer.starting_offsets(edge.tps)
    edge.feed(peer, 0)
    edge.send([b"{" if n == 105 else request_json(n) for n in range(100, 110)])
    edge.feed(peer, 0, start=100)
    edge.now += 1
    twin.on_tick()
    twin.on_tick()
    assert edge.ranges(0)[-1].end == 100
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 110  # not what the twin wrote last
    edge.feed(twin, 0, start=100)

    found = account(edge.written(0), edge.project)
    assert found.overlaps == 2
    assert found.rows.column("request_offset").to_pylist() == [n for n in range(110) if n != 105]
    assert found.quarantined == {(0, 105)}


def test_what_was_buffered_is_dropped_on_revocation_and_finished_when_draining(edge: MemoryEdge) -> None:
    edge.send([request_json(0)], partition=0)
    edge.send([request_json(1)], partition=1)
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    for p in (0, 1):
        handler.on_records(edge.tp(p), edge.unread(p))
    handler.on_revoked(frozenset({edge.tp(0)}))
    handler.drain()
    assert (edge.ranges(0), [r.end for r in edge.ranges(1)]) == ([], [1])
    assert handler.durable_offsets() == {edge.tp(1): 1}


def test_an_idle_partition_gets_one_watermark_and_only_when_nothing_is_unread(edge: MemoryEdge) -> None:
    edge.send([request_json(n) for n in range(100)], partition=0)
    handler = edge.handler(idle_seconds=60)
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    edge.send([request_json(0)], partition=1)
    edge.now += 61
    handler.on_tick()
    handler.on_tick()
    expected = START + timedelta(seconds=99 - 10)
    assert [watermark(r.headers) for r in edge.written(0)] == [None, expected]
    assert edge.written(1) == []  # it has a request that this process has not read yet

    edge.feed(handler, 1)
    edge.now += 61
    handler.on_tick()
    handler.on_tick()
    assert [watermark(r.headers) for r in edge.written(1)] == [None, expected]
    assert len(edge.written(0)) == 2


@pytest.mark.parametrize("aborted", [0, 49_999, 100_001, 250_000])
def test_a_transaction_of_any_length_leaves_no_gap_and_no_message_that_accounts_for_too_much(edge: MemoryEdge, aborted: int) -> None:
    edge.broker.abort(edge.tp(0), aborted)
    edge.send([request_json(0)])
    edge.broker.abort(edge.tp(0), aborted)
    edge.send([request_json(n) for n in (1, 2)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    edge.feed(handler, 0)
    found = [InferenceDecoder(edge.project.schema).decode(record) for record in edge.written(0)]
    assert [row for one in found if one.rows is not None for row in one.rows.column("event_id").to_pylist()] == ["e0", "e1", "e2"]
    ends = [0, *(one.claimed.end for one in found)]
    assert [one.claimed.start for one in found] == ends[:-1]
    assert ends[-1] == 2 * (aborted + 1) + 3
    assert max(one.claimed.end - one.claimed.start for one in found) <= MAX_OFFSETS
