"""A request that fails in a way nobody foresaw is quarantined; so is one of any size; the others are scored."""

from collections.abc import Callable

import pytest
from tests.integration.predictor.harness import account
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import request_json

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.topics import quarantine
from driftloop.errors import TransientError
from driftloop.rows.requests import DecodedRows, RequestDecoder
from driftloop.service.quarantine import Quarantined, fetched, read_quarantined
from driftloop_predictor.handlers import RequestHandler

GOOD, BIG = request_json(0), b'{"note": "' + b"x" * (9 * 1024 * 1024) + b'"'


@pytest.fixture
def edge() -> MemoryEdge:
    return MemoryEdge()


def ticked(edge: MemoryEdge, handler: RequestHandler, times: int = 20) -> int:
    """Ticks as the worker makes them, again after each transient error; how many there were."""
    errors = 0
    for _ in range(times):
        edge.now += 1.0
        try:
            handler.on_tick()
        except TransientError:
            errors += 1
    return errors


def quarantined(edge: MemoryEdge) -> list[Quarantined]:
    return [read_quarantined(r) for r in edge.broker.records(quarantine("edge"))]


def failing_for(monkeypatch: pytest.MonkeyPatch, is_poison: Callable[[list[bytes]], bool]) -> None:
    decode = RequestDecoder.decode_batch

    def broken(self: RequestDecoder, values: list[bytes], keys: list[bytes | None]) -> DecodedRows:
        if is_poison(values):
            raise ZeroDivisionError("nobody foresaw this")
        return decode(self, values, keys)

    monkeypatch.setattr(RequestDecoder, "decode_batch", broken)


def test_the_request_at_fault_alone_is_quarantined_after_some_tries(edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_for(monkeypatch, lambda values: any(b'"e7"' in value for value in values))
    edge.send([request_json(n) for n in range(20)])
    edge.send([request_json(n) for n in range(100, 105)], partition=1)
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    for partition in (0, 1):
        handler.on_records(edge.tp(partition), edge.unread(partition))
    assert ticked(edge, handler) >= 3
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 20, (7,))]
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(1)] == [(0, 5, ())]
    ((offset, reason),) = [(q.offset, q.reason) for q in quarantined(edge)]
    assert offset == 7
    assert "ZeroDivisionError: nobody foresaw this" in reason
    assert account(edge.written(0), edge.project).rows.num_rows == 19


def test_requests_that_fail_together_only_are_quarantined_together_and_the_partition_goes_on(
    edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_for(monkeypatch, lambda values: len(values) == 3)
    edge.send([request_json(n) for n in range(3)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    ticked(edge, handler)
    edge.send([GOOD])
    edge.feed(handler, 0, start=3)
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 3, (0, 1, 2)), (3, 4, ())]


def test_a_failure_that_passes_quarantines_nothing(edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True, True, False])
    failing_for(monkeypatch, lambda values: next(failures, False))
    edge.send([GOOD])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    assert ticked(edge, handler) == 2
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 1, ())]


def test_a_request_that_is_too_large_for_quarantine_is_stored_and_its_range_sent_after_it(edge: MemoryEdge) -> None:
    edge.send([GOOD, BIG, request_json(2)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    edge.feed(handler, 0)
    assert edge.ranges(0)[-1].end == 3
    (found,) = quarantined(edge)
    assert found.stored is not None
    assert fetched(found, edge.store).record.value == BIG


def test_while_the_store_is_away_such_a_request_waits_and_nothing_is_said_of_it(edge: MemoryEdge) -> None:
    class AwayStore(MemoryStore):
        away = True

        def put(self, key: str, data: bytes) -> None:
            if self.away:
                raise TransientError("the store is away")
            super().put(key, data)

    edge.store = store = AwayStore()
    edge.send([GOOD, b"{", BIG, request_json(3)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    assert ticked(edge, handler, times=5) == 5
    assert [r.end for r in edge.ranges(0)] == [2]
    assert [q.offset for q in quarantined(edge)] == [1]
    store.away = False
    assert ticked(edge, handler) == 0
    assert [(r.start, r.end) for r in edge.ranges(0)][-1][1] == 4
    assert sorted(q.offset for q in quarantined(edge)) == [1, 2]
    assert account(edge.written(0), edge.project).rows.num_rows == 2


def test_a_request_that_cannot_even_be_taken_up_is_quarantined(edge: MemoryEdge) -> None:
    edge.send([GOOD, request_json(1), request_json(2)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    records = edge.unread(0)
    handler.on_records(edge.tp(0), records[:1])
    handler.reject(edge.tp(0), records[1], "no way")
    handler.on_records(edge.tp(0), records[2:])
    ticked(edge, handler)
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 3, (1,))]
    assert [(q.offset, q.reason, q.record.value) for q in quarantined(edge)] == [(1, "no way", request_json(1))]


def test_requests_wait_for_a_schema_registry_however_often_it_does_not_answer(edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:

        def not_there(*_: object) -> DecodedRows:
            raise TransientError("the schema registry does not answer")

        away.setattr(RequestDecoder, "decode_batch", not_there)
        edge.send([request_json(n) for n in range(20)])
        handler = edge.handler()
        handler.starting_offsets(edge.tps)
        handler.on_records(edge.tp(0), edge.unread(0))
        assert ticked(edge, handler) == 20
    assert ticked(edge, handler) == 0
    found = account(edge.written(0), edge.project)
    assert (found.rows.num_rows, found.quarantined, quarantined(edge)) == (20, set(), [])


def test_a_schema_registry_that_goes_away_while_the_request_at_fault_is_looked_for_makes_no_other_one_guilty(
    edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, decode = True, RequestDecoder.decode_batch

    def broken(self: RequestDecoder, values: list[bytes], keys: list[bytes | None]) -> DecodedRows:
        if len(values) == 1 and away:
            raise TransientError("the schema registry does not answer")
        if any(b'"e7"' in value for value in values):
            raise ZeroDivisionError("nobody foresaw this")
        return decode(self, values, keys)

    monkeypatch.setattr(RequestDecoder, "decode_batch", broken)
    edge.send([request_json(n) for n in range(20)])
    handler = edge.handler()
    handler.starting_offsets(edge.tps)
    handler.on_records(edge.tp(0), edge.unread(0))
    assert ticked(edge, handler, 10) == 10
    away = False
    ticked(edge, handler)
    assert len(quarantined(edge)) == 1
    assert account(edge.written(0), edge.project).rows.num_rows == 19
