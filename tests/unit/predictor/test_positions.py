"""Where a predictor goes on: found near the end of ``inferences``, whatever lies behind it."""

from collections.abc import Mapping, Sequence

import pytest
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import request_json

from driftloop.adapters.memory import MemoryConsumer
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, RequestPosition, RequestRange, position_header, range_header
from driftloop.contracts.topics import inferences, requests
from driftloop.errors import TransientError
from driftloop.ports import Record, TopicPartition
from driftloop_predictor.positions import FIRST_LOOK, MOST

HTTP = ((CONTENT_TYPE, ARROW.encode()),)


@pytest.fixture
def edge() -> MemoryEdge:
    return MemoryEdge()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each poll brought."""
    polls: list[int] = []
    poll = MemoryConsumer.poll

    def counted(self: MemoryConsumer, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        found = poll(self, timeout_seconds, max_records)
        polls.append(sum(map(len, found.values())))
        return found

    monkeypatch.setattr(MemoryConsumer, "poll", counted)
    return polls


def scored(edge: MemoryEdge, n: int) -> None:
    edge.send([request_json(i) for i in range(n)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)


def by_http(edge: MemoryEdge, n: int, position: RequestPosition | None = None) -> None:
    producer = edge.broker.producer()
    headers = HTTP if position is None else (*HTTP, position_header(position))
    for _ in range(n):
        producer.send(inferences("edge"), b"rows", partition=0, headers=headers)


def test_rows_by_http_say_where_the_requests_have_got_to_so_that_a_few_messages_are_read(edge: MemoryEdge, read: list[int]) -> None:
    scored(edge, 30)
    by_http(edge, 5000, RequestPosition(topic_id="first", partition=0, offset=30))
    read.clear()
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 30
    assert sum(read) <= FIRST_LOOK


def test_a_position_of_another_incarnation_or_partition_counts_for_nothing(edge: MemoryEdge) -> None:
    edge.send([request_json(i) for i in range(30)])
    by_http(edge, 3, RequestPosition(topic_id="second", partition=0, offset=9))
    by_http(edge, 3, RequestPosition(topic_id="first", partition=1, offset=9))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 0
    by_http(edge, 1, RequestPosition(topic_id="first", partition=0, offset=9))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 9


def test_a_position_that_is_older_than_a_range_beside_it_moves_nothing_back(edge: MemoryEdge) -> None:
    scored(edge, 30)
    by_http(edge, 1, RequestPosition(topic_id="first", partition=0, offset=12))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 30


def test_a_position_beyond_the_requests_is_forged_and_does_not_make_those_to_come_seem_known(edge: MemoryEdge) -> None:
    scored(edge, 30)
    by_http(edge, 1, RequestPosition(topic_id="first", partition=0, offset=2**40))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 30


@pytest.mark.parametrize(("end", "place"), [(30 + 150_001, 30 + 150_001), (2**40, 30)])
def test_a_range_as_wide_as_an_aborted_transaction_is_believed_as_far_as_there_are_requests(edge: MemoryEdge, end: int, place: int) -> None:
    scored(edge, 30)
    edge.broker.abort(edge.tp(0), 150_000)
    wide = range_header(RequestRange(topic_id="first", partition=0, start=30, end=end))
    edge.broker.producer().send(inferences("edge"), b"", partition=0, headers=(wide,))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == place


def test_a_narrow_range_beyond_the_requests_is_forged_too(edge: MemoryEdge) -> None:
    scored(edge, 3)
    forged = RequestRange(topic_id="first", partition=0, start=3, end=50)
    edge.broker.producer().send(inferences("edge"), b"", partition=0, headers=(*HTTP, range_header(forged)))
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 3


def test_behind_years_of_messages_that_say_nothing_reading_begins_anew_after_a_bounded_look(edge: MemoryEdge, read: list[int]) -> None:
    scored(edge, 3)
    by_http(edge, MOST + 1000)
    read.clear()
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 0
    assert sum(read) <= MOST


def test_a_handler_tells_the_position_of_its_own_partitions_as_far_as_the_broker_holds_their_ranges(edge: MemoryEdge) -> None:
    edge.send([request_json(0)])
    handler = edge.handler()
    assert handler.position(0) is None
    handler.starting_offsets(frozenset({edge.tp(0)}))
    assert handler.position(0) == RequestPosition(topic_id="first", partition=0, offset=0)
    handler.on_records(edge.tp(0), edge.unread(0))
    edge.now += 1
    handler.on_tick()
    assert handler.position(0) == RequestPosition(topic_id="first", partition=0, offset=0)  # sent, not flushed
    handler.on_tick()
    assert handler.position(0) == RequestPosition(topic_id="first", partition=0, offset=1)
    assert handler.position(1) is None


def test_requests_in_more_partitions_than_inferences_has_wait_and_say_what_to_do(edge: MemoryEdge) -> None:
    edge.broker.add_partitions(requests("edge"), 3)
    handler, tps = edge.handler(), frozenset(edge.broker.partitions(requests("edge")))
    with pytest.raises(
        TransientError, match=r"edge\.requests has more partitions than the 2 of edge\.inferences.*driftloop partitions add edge 3"
    ):
        handler.starting_offsets(tps)
    edge.broker.add_partitions(inferences("edge"), 3)
    assert handler.starting_offsets(tps) == dict.fromkeys(tps, 0)
