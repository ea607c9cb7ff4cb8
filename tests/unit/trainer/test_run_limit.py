"""A trainer starts so many runs of a model in a day, whoever asks, and says so to whoever asks for more."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.registered import register_command
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.unit.history.facts import MODEL, START, about, failed, requested, started, tell

from driftloop.adapters.kafka_producer import Publisher
from driftloop.adapters.memory import FixedClock, MemoryBroker, MemoryStore
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import TrainingFailed
from driftloop.contracts.topics import RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.errors import UserError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import Keep, ModelHistory
from driftloop.history.requests import MODELS_KEPT, STARTS_KEPT
from driftloop.registry.fold import RegistryState, fold
from driftloop.service.process import Stop
from driftloop_trainer.handlers import RetrainRequests
from driftloop_trainer.run_limit import RunLimit
from driftloop_trainer.status import TrainerStatus

KEEP = Keep(answered=0)


def starts(history: ModelHistory, *hours: float, model: str = MODEL) -> None:
    for n, hour in enumerate(hours):
        event = started(f"{model}-{n}", model=model)
        history.add(event, about(event, f"s-{model}-{n}", seconds=3600 * hour))


def test_the_limit_counts_the_runs_of_the_last_day_also_those_that_are_not_kept() -> None:
    history = ModelHistory(None, KEEP)
    starts(history, -30, -20, -10, -1)
    tell(history, *((f"f{n}", failed(f"{MODEL}-{n}")) for n in range(4)))
    RunLimit(history, 4, FixedClock(START)).check(MODEL)
    with pytest.raises(UserError, match="3 runs of m were started in the last 24 hours") as refused:
        RunLimit(history, 3, FixedClock(START)).check(MODEL)
    assert (START + timedelta(hours=4)).isoformat() in str(refused.value)
    RunLimit(history, 3, FixedClock(START + timedelta(hours=4, seconds=1))).check(MODEL)
    RunLimit(history, 3, FixedClock(START)).check("other")
    RunLimit(history, 0, FixedClock(START)).check(MODEL)


def test_a_run_that_is_told_twice_is_counted_once_and_a_checkpoint_keeps_the_count() -> None:
    history = ModelHistory(None, KEEP)
    starts(history, -3, -2)
    starts(history, -3, -2)
    tell(history, ("f", failed(f"{MODEL}-0")))
    starts(history, -3)
    again = ModelHistory(None, KEEP)
    again.restore(history.stored())
    for known in (history, again):
        assert known.starts_since(MODEL, START - timedelta(days=1)) == [START - timedelta(hours=3), START - timedelta(hours=2)]


def test_made_up_models_and_runs_make_the_count_no_larger_than_a_bound() -> None:
    history = ModelHistory(None, KEEP)
    for n in range(MODELS_KEPT + 50):
        starts(history, 0, model=f"made-up-{n}")
    starts(history, *([0] * (STARTS_KEPT + 50)))
    requests = history._requests
    assert len(requests._starts) == MODELS_KEPT
    assert len(history.starts_since(MODEL, START)) == STARTS_KEPT


class Pinner:
    def pin(self, *_: Any) -> Any:
        raise UserError("pinned")


class Spare:
    """Of a trainer that has not trained yet."""

    def __init__(self) -> None:
        self.prepared: list[int] = []

    def prepare(self, threads: int) -> None:
        self.prepared.append(threads)


class Registry:
    """One project that is registered."""

    def __init__(self, state: RegistryState) -> None:
        self._state = state

    def after_verdict(self, request_id: str | None) -> RegistryState:
        return self._state


class Follower:
    caught_up = True


@pytest.mark.parametrize(("runs_per_day", "reason"), [(5, "pinned"), (2, "2 runs of purchases were started in the last 24 hours")])
def test_a_request_beyond_the_limit_fails_with_the_reason_and_pins_nothing(runs_per_day: int, reason: str) -> None:
    project, store, broker = sample_project(small_schema("purchases")), MemoryStore(), MemoryBroker()
    command = register_command(project, store, START)
    state, _ = fold(RegistryState(), command, 0)
    for topic in (RETRAIN_REQUESTS, TRAINING_RUNS):
        broker.create_topic(topic)
    events, history, clock = Publisher(broker.producer(), source="driftloop/test"), ModelHistory(None, KEEP), FixedClock(START)
    for n in range(2):
        events.publish(TRAINING_RUNS, started(f"r{n}", model=project.model), key=project.model, id=f"s{n}", time=START)
    reader, status = LogReader(broker, (RETRAIN_REQUESTS, TRAINING_RUNS), Events(history)), TrainerStatus("trainer-0", clock, Follower())
    handlers = RetrainRequests(
        history,
        reader,
        Registry(state),
        Pinner(),
        None,
        store,
        events,
        status,
        Stop(),
        spare := Spare(),
        RunLimit(history, runs_per_day, clock),
    )
    request = requested(project.model)
    handlers.on_retrain_requested(request, about(request, "flood"))
    told = [decode_event(record.value, record.headers)[0] for record in broker.records(TRAINING_RUNS)]
    [end] = [event for event in told if isinstance(event, TrainingFailed)]
    assert end.reason.startswith(reason)
    assert status.status()["last_failure"]["reason"] == end.reason
    assert spare.prepared == ([project.training.threads] if reason == "pinned" else [])
