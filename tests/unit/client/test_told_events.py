"""What the loop has told, read once to its end: each once, of the model that was asked for, and a word on what cannot be read."""

import pytest
from tests.unit.history.facts import (
    MODEL,
    about,
    completed,
    decided,
    drift,
    failed,
    incident,
    judged,
    performance,
    reproduced,
    started,
    window,
)

from driftloop.adapters.memory import MemoryBroker
from driftloop.cli.models.runs import about_run
from driftloop.client import told_events
from driftloop.contracts.codec import encode_event
from driftloop.contracts.events import Event
from driftloop.contracts.topics import (
    CONTROL_TOPICS,
    DECISIONS,
    DRIFT_REPORTS,
    INCIDENTS,
    PERFORMANCE_REPORTS,
    REPRODUCTIONS,
    TRAINING_RUNS,
)
from driftloop.errors import UserError


class World(MemoryBroker):
    """With the control topics, and somebody who is told what was passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        for topic in CONTROL_TOPICS:
            self.create_topic(topic.name, topic.partitions)

    def tell(self, topic: str, event: Event, event_id: str, seconds: float = 0) -> None:
        value, headers = encode_event(event, about(event, event_id, seconds))
        self.producer().send(topic, value, key=b"m", headers=headers)


@pytest.fixture
def world() -> World:
    return World()


def test_decisions_come_in_order_of_time_each_once_and_an_unreadable_one_is_named(world: World) -> None:
    world.tell(DECISIONS, judged("r1"), "j", seconds=2)
    world.tell(DECISIONS, decided(0), "d", seconds=1)
    world.producer().send(DECISIONS, b"{", key=b"m")
    world.tell(DECISIONS, judged("r1", accepted=False), "j", seconds=3)
    found = told_events.decisions(world, None, world.said.append)
    assert [(told.about.id, told.event.kind, told.event.accepted) for told in found] == [("d", "retrain", False), ("j", "promote", True)]
    assert world.said == ["passed over offset 2 of decisions[1]: header ce_id is missing"]
    assert told_events.decisions(world, MODEL, world.said.append) == found
    assert told_events.decisions(world, "other", world.said.append) == []


def test_the_last_decisions_are_told_without_keeping_the_others(world: World) -> None:
    for n in range(30):
        world.tell(DECISIONS, decided(n), f"d{n}", seconds=n)
    found = told_events.decisions(world, None, world.said.append, last=5)
    assert [told.about.id for told in found] == [f"d{n}" for n in range(25, 30)]
    assert found == told_events.decisions(world, None, world.said.append)[-5:]
    with pytest.raises(UserError, match="at least 1"):
        told_events.decisions(world, None, world.said.append, last=0)


@pytest.mark.parametrize(("ask", "topic", "kind"), [("drift", DRIFT_REPORTS, drift), ("performance", PERFORMANCE_REPORTS, performance)])
def test_the_last_reports_are_told_without_keeping_the_others(world: World, ask: str, topic: str, kind) -> None:
    for n in range(30):
        world.tell(topic, kind(n, version=1), f"r{n}")
    told = getattr(told_events, ask)
    assert told(world, MODEL, world.said.append, 5) == told(world, MODEL, world.said.append)[-5:]
    with pytest.raises(UserError, match="at least 1 report"):
        told(world, MODEL, world.said.append, 0)


def test_the_newest_revision_of_each_report_is_told_by_window_and_version(world: World) -> None:
    for topic, kind in ((DRIFT_REPORTS, drift), (PERFORMANCE_REPORTS, performance)):
        world.tell(topic, kind(1, version=2), "a")
        world.tell(topic, kind(0, version=1, revision=1), "b")
        world.tell(topic, kind(0, version=1), "c")
        world.tell(topic, kind(1, version=None), "d")
    for ask in (told_events.drift, told_events.performance):
        found = [told.event for told in ask(world, MODEL, world.said.append)]
        assert [(e.window, e.version, e.revision) for e in found] == [(window(0), 1, 1), (window(1), None, 0), (window(1), 2, 0)]
        assert ask(world, "other", world.said.append) == []


def test_runs_and_reproductions_are_told(world: World) -> None:
    world.tell(TRAINING_RUNS, started("r1"), "s")
    world.tell(TRAINING_RUNS, completed("r1"), "c")
    world.tell(REPRODUCTIONS, reproduced(3), "a")
    [run] = told_events.runs(world, world.said.append)
    assert (run.request_id, run.completed.event) == ("r1", completed("r1"))
    assert [told.event.version for told in told_events.reproductions(world, None, world.said.append)] == [3]
    assert world.said == []


def test_runs_are_shown_with_what_came_of_them_and_why(world: World) -> None:
    world.tell(TRAINING_RUNS, started("r1"), "s1", seconds=0)
    world.tell(TRAINING_RUNS, completed("r1"), "c1", seconds=60)
    world.tell(TRAINING_RUNS, started("r2"), "s2", seconds=70)
    world.tell(TRAINING_RUNS, failed("r2"), "f2", seconds=80)
    world.tell(TRAINING_RUNS, started("r3"), "s3", seconds=90)
    shown = [about_run(run) for run in told_events.runs(world, world.said.append, MODEL)]
    assert [(run["request_id"], run["state"], run["reason"]) for run in shown] == [
        ("r1", "completed", None),
        ("r2", "failed", failed("r2").reason),
        ("r3", "running", None),
    ]
    assert told_events.runs(world, world.said.append, "other") == []


def test_an_incident_is_told_as_it_stands_and_not_when_late_rows_have_taken_it_back(world: World) -> None:
    for number, event in enumerate(
        (
            incident("b", n=4),
            incident("a"),
            incident("a", "changed", windows=2),
            incident("c", n=8),
            incident("b", "closed", n=4),
            incident("c", "closed", windows=0, n=8),
        )
    ):
        world.tell(INCIDENTS, event, f"i{number}", seconds=number)
    found = told_events.incidents(world, None, world.said.append)
    assert [(told.event.incident, told.event.state, told.event.windows) for told in found] == [("a", "changed", 2), ("b", "closed", 1)]
    assert told_events.incidents(world, "other", world.said.append) == []
    for n in range(30):
        world.tell(INCIDENTS, incident(f"later{n}", n=10 + n), f"l{n}", seconds=10 + n)
    last = told_events.incidents(world, MODEL, world.said.append, last=3)
    assert [told.event.incident for told in last] == ["later27", "later28", "later29"]
    with pytest.raises(UserError, match="at least 1 incident"):
        told_events.incidents(world, None, world.said.append, last=0)
