"""A message that accounts for requests fits its topic, however wide the rows become."""

import pytest
from tests.integration.predictor.harness import account
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import request_json

from driftloop.contracts.topics import quarantine
from driftloop.service.quarantine import read_quarantined
from driftloop_predictor import batches

LIMIT = 20_000


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> MemoryEdge:
    monkeypatch.setattr(batches, "MAX_MESSAGE_BYTES", LIMIT)
    return MemoryEdge()


def test_a_batch_that_is_too_large_for_one_message_becomes_several_that_follow_one_another(edge: MemoryEdge) -> None:
    edge.send([request_json(n, note="x" * 500) for n in range(100)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    handler.drain()
    written, ranges = edge.written(0), edge.ranges(0)
    assert len(written) > 2
    assert max(len(record.value or b"") for record in written) <= LIMIT
    assert [r.start for r in ranges] == [0, *(r.end for r in ranges[:-1])]
    assert account(written, edge.project).rows.column("request_offset").to_pylist() == list(range(100))


def test_a_single_request_that_is_too_large_goes_to_quarantine_and_its_neighbours_are_scored(edge: MemoryEdge) -> None:
    edge.send([request_json(0), request_json(1, note="x" * 2 * LIMIT), request_json(2)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    handler.drain()
    assert account(edge.written(0), edge.project).quarantined == {(0, 1)}
    assert account(edge.written(0), edge.project).rows.column("request_offset").to_pylist() == [0, 2]
    (found,) = map(read_quarantined, edge.broker.records(quarantine("edge")))
    assert "send fewer at a time" in found.reason
