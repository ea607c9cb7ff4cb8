"""Another system answers: its answers become inferences, each request is accounted for once, and what has no answer is said."""

from datetime import timedelta

import msgspec
import pytest
from tests.unit.predictor.edge import MemoryEdge
from tests.unit.predictor.samples import request, request_json

from driftloop.adapters.memory_broker import MemoryBroker
from driftloop.contracts.answers import Answers
from driftloop.contracts.headers import ARROW, CONTENT_TYPE
from driftloop.contracts.topics import quarantine
from driftloop.errors import TransientError
from driftloop.rows.answers import AnswerReader
from driftloop.rows.inferences import InferenceDecoder
from driftloop.service.quarantine import read_quarantined
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.awaited_answers import AwaitedAnswers
from driftloop_predictor.batches import NO_ARROW
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.watching import Watching

DECLARED = Answers(version="model")


class WatchedEdge(MemoryEdge):
    """A stream whose answers are in its requests, or on a topic of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.versions = {"a": 1}
        self.full = False
        self.told: list[str] = []
        self.broker.create_topic("answers", 2)
        self.ms = int(self.clock.now().timestamp() * 1000)

    def watching(self, *, joined: bool = False) -> RequestHandler:
        handler, declared = self.handler(), msgspec.structs.replace(DECLARED, topic="answers" if joined else None)
        source = self.answers(declared) if joined else AnswerReader(self.project.schema, declared)
        handler._serving = lambda: Watching(source, self.versions, self.full)
        handler._make_known = self.told.extend
        self.topic = source if isinstance(source, AnswersTopic) else None
        handler._awaited = AwaitedAnswers(self.topic, handler._serving)
        handler.starting_offsets(self.tps)
        return handler

    def answers(self, declared: Answers) -> AnswersTopic:
        broker: MemoryBroker = self.broker
        return AnswersTopic(
            self.project.schema,
            declared,
            "answers",
            open_reader=broker.reader,
            partitions=lambda topic: len(broker.partitions(topic)),
            clock=self.clock,
        )

    def ask(self, n: int, *, later_ms: int = 0, **changes: object) -> None:
        self.broker.producer().send("edge.requests", request_json(n, **changes), partition=0, timestamp_ms=self.ms + later_ms)

    def answer(self, n: int, *, later_ms: int = 0, partition: int = 0, **body: object) -> None:
        value = msgspec.json.encode({"event_id": f"e{n}", "score": 0.9, "model": "a"} | body)
        self.broker.producer().send("answers", value, partition=partition, timestamp_ms=self.ms + later_ms)

    def later(self, seconds: float) -> None:
        self.clock.time += timedelta(seconds=seconds)

    def rows(self) -> list[dict[str, object]]:
        decoder = InferenceDecoder(self.project.schema)
        found = [decoder.decode(record).rows for record in self.written(0)]
        return [row for rows in found if rows is not None for row in rows.to_pylist()]

    def reasons(self) -> dict[int, str]:
        return {q.offset: q.reason for q in map(read_quarantined, self.broker.records(quarantine("edge")))}


@pytest.fixture
def edge() -> WatchedEdge:
    return WatchedEdge()


def test_an_answer_in_the_request_becomes_an_inference_of_our_number(edge: WatchedEdge) -> None:
    edge.send([request_json(0, score=0.75, model="a"), request_json(1, model="a"), b"{"])
    edge.feed(edge.watching(), 0)
    assert [(r["event_id"], r["prediction"], r["score"], r["model_version"], r["request_offset"]) for r in edge.rows()] == [
        ("e0", True, 0.75, 1, 0)
    ]
    assert [(r.start, r.end, r.quarantined) for r in edge.ranges(0)] == [(0, 3, (1, 2))]
    assert "the answer is missing" in edge.reasons()[1]


def test_rows_of_an_unknown_version_wait_until_it_has_a_number(edge: WatchedEdge) -> None:
    edge.send([request_json(0, score=0.75, model="b")])
    handler = edge.watching()
    with pytest.raises(TransientError, match="wait for the registry to know the versions b"):
        edge.feed(handler, 0)
    assert (edge.told, edge.ranges(0)) == (["b"], [])
    edge.versions = {"a": 1, "b": 2}
    handler.on_tick()
    assert [r["model_version"] for r in edge.rows()] == [2]


def test_names_beyond_the_most_cost_their_own_rows_alone(edge: WatchedEdge) -> None:
    edge.full = True
    edge.send([request_json(0, score=0.75, model="a"), request_json(1, score=0.75, model="b")])
    edge.feed(edge.watching(), 0)
    assert [r["event_id"] for r in edge.rows()] == ["e0"]
    assert "version 'b' is one too many" in edge.reasons()[1]


def test_arrow_batches_bring_no_answers(edge: WatchedEdge) -> None:
    edge.send([b"ARROW1"], headers=((CONTENT_TYPE, ARROW.encode()),))
    edge.feed(edge.watching(), 0)
    assert edge.reasons() == {0: NO_ARROW}


def test_a_request_waits_for_its_answer_on_the_other_topic_and_no_longer_than_it_may(edge: WatchedEdge) -> None:
    handler = edge.watching(joined=True)
    edge.ask(0)
    edge.ask(1)
    edge.answer(0)
    edge.feed(handler, 0)
    assert edge.ranges(0) == []  # e1 may still be answered
    edge.later(29)
    edge.feed(handler, 0)
    assert edge.ranges(0) == []
    edge.later(2)
    edge.feed(handler, 0)
    assert [r["event_id"] for r in edge.rows()] == ["e0"]
    assert edge.reasons()[1].startswith("no answer on answers within 30 s")


def test_an_answer_may_come_before_its_request_and_on_any_partition(edge: WatchedEdge) -> None:
    edge.answer(0, later_ms=-5000, partition=1)
    handler = edge.watching(joined=True)
    edge.ask(0)
    edge.feed(handler, 0)
    assert [r["score"] for r in edge.rows()] == [0.9]


def test_after_a_restart_the_answers_are_read_again_from_before_the_oldest_request(edge: WatchedEdge) -> None:
    edge.ask(0)
    edge.ask(1, later_ms=1000)
    edge.answer(1, later_ms=1500)
    first = edge.watching(joined=True)
    edge.feed(first, 0)
    assert edge.ranges(0) == []
    edge.answer(0, later_ms=2000)
    edge.later(3600)
    edge.feed(edge.watching(joined=True), 0)
    assert [r["event_id"] for r in edge.rows()] == ["e0", "e1"]
    assert edge.reasons() == {}


def test_an_answer_that_is_none_and_one_that_names_no_event(edge: WatchedEdge) -> None:
    handler = edge.watching(joined=True)
    edge.ask(0)
    edge.answer(0, score=7)
    edge.broker.producer().send("answers", b"{", partition=0)
    edge.broker.producer().send("answers", b'{"score": 0.5}', partition=0)
    edge.feed(handler, 0)
    assert edge.reasons()[0] == "its answer on answers: field 'score': 7 is no probability that late is true"
    assert edge.topic is not None
    assert (edge.topic.unreadable, edge.topic.last_unreadable) == (2, "required field missing: 'event_id'")


def test_what_waits_for_an_answer_is_not_given_up_at_the_end_of_the_process(edge: WatchedEdge) -> None:
    handler = edge.watching(joined=True)
    edge.ask(0)
    edge.feed(handler, 0)
    handler.drain()
    assert (edge.ranges(0), edge.reasons()) == ([], {})
    assert handler.durable_offsets()[edge.tp(0)] == 0


def test_a_request_that_is_no_row_waits_for_nothing(edge: WatchedEdge) -> None:
    handler = edge.watching(joined=True)
    edge.send([b"{", msgspec.json.encode({k: v for k, v in request(0).items() if k != "event_id"})])
    edge.feed(handler, 0)
    assert set(edge.reasons()) == {0, 1}
