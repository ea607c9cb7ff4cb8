"""Last decision, waiting windows and the budget, as metrics and for ``/status``."""

import math
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from tests.unit.monitor.decider_bench import PROJECT, Bench
from tests.unit.monitoring.traffic import START, window

from driftloop.adapters.memory import FixedClock
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop_monitor.history import KEEP, TOPICS
from driftloop_monitor.shown_policy import ShownPolicy


class Monotonic:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def history(bench: Bench) -> ModelHistory:
    return ModelHistory(PROJECT.model, KEEP)


def follow(bench: Bench, history: ModelHistory) -> None:
    LogReader(bench.broker, TOPICS, Events(history)).sync()


def metric(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"driftloop_{name}", {"model": PROJECT.model})


def test_before_a_decision_there_is_no_age_and_nothing_is_spent(history: ModelHistory) -> None:
    shown = ShownPolicy(PROJECT, history, FixedClock(START))
    assert shown.as_dict() == {"last_decision": None, "overdue_seconds": 0.0}
    assert math.isnan(metric("decision_age_seconds") or 0)
    assert math.isnan(metric("budget_left") or 0)


def test_the_last_decision_and_what_is_left_of_the_budget(bench: Bench, history: ModelHistory) -> None:
    bench.step(0)
    follow(bench, history)
    decided = history.last_retrain_decision()
    assert decided is not None
    shown = ShownPolicy(PROJECT, history, FixedClock(decided.about.time + timedelta(minutes=14)))
    assert metric("decision_age_seconds") == 14 * 60
    told = shown.as_dict()
    assert (told["last_decision"], told["window_end"]) == (decided.about.time, window(0).end)
    assert told["accepted"] == decided.event.accepted
    assert told["budget_left"] == told["budget"] - int(decided.event.accepted)
    assert metric("budget_left") == told["budget_at_once"]
    bench.step(0, 1)
    follow(bench, history)
    assert shown.as_dict()["window_end"] == window(1).end


def test_a_window_is_overdue_after_a_windows_length_and_no_longer_once_it_is_decided(history: ModelHistory) -> None:
    clock = Monotonic()
    shown = ShownPolicy(PROJECT, history, FixedClock(START), clock)
    length = (window(0).end - window(0).start).total_seconds()
    shown.undecided([window(0)])
    clock.now += length
    shown.undecided([window(0), window(1)])
    assert shown.overdue_seconds() == 0
    clock.now += 30
    assert metric("decision_overdue_seconds") == 30
    shown.undecided([window(1)])
    assert shown.overdue_seconds() == 0
