"""Requests that expired before they were scored: a loud end, unless somebody has given them up."""

import msgspec
import pytest
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import START, request_json

from driftloop.contracts.gaps import AcceptedGap, gap_key
from driftloop.errors import GapError


@pytest.fixture
def edge() -> MemoryEdge:
    """Two requests are accounted for; of the six after them, four expired."""
    edge = MemoryEdge()
    edge.send([request_json(n) for n in range(2)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    handler.drain()
    edge.send([request_json(n) for n in range(2, 8)])
    edge.broker.expire(edge.tp(0), 6)
    return edge


def give_up(edge: MemoryEdge, start: int, end: int) -> None:
    gap = AcceptedGap(
        topic="edge.requests", topic_id=edge.topic_id, partition=0, start=start, end=end, reason="too long away", by="Kim", at=START
    )
    edge.store.put(gap_key("edge", gap), msgspec.json.encode(gap))


def test_they_end_the_process_with_their_offsets_and_the_way_on(edge: MemoryEdge) -> None:
    with pytest.raises(GapError, match=r"edge.requests-0: requests 2 to 5 expired before they were scored; see `driftloop lake accept-gap"):
        edge.handler().starting_offsets(edge.tps)


def test_when_they_are_given_up_the_next_range_begins_after_them(edge: MemoryEdge) -> None:
    give_up(edge, 2, 6)
    handler = edge.handler()
    assert handler.starting_offsets(edge.tps)[edge.tp(0)] == 6
    edge.feed(handler, 0, start=6)
    assert [(r.start, r.end) for r in edge.ranges(0)] == [(0, 2), (6, 8)]


def test_a_part_of_them_is_no_permission(edge: MemoryEdge) -> None:
    give_up(edge, 2, 5)
    with pytest.raises(GapError, match="requests 2 to 5"):
        edge.handler().starting_offsets(edge.tps)


def test_a_record_about_another_incarnation_is_none(edge: MemoryEdge) -> None:
    give_up(edge, 2, 6)
    edge.topic_id = "second"
    assert edge.handler().starting_offsets(edge.tps)[edge.tp(0)] == 6, "no range of this one yet: from its beginning"
    edge.topic_id = "first"
    for key in [found.key for found in edge.store.list("")]:
        edge.store.delete(key)
    with pytest.raises(GapError):
        edge.handler().starting_offsets(edge.tps)
