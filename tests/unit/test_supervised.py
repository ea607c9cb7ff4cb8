"""A thread that follows something goes on whatever happens in it, and shows how old it is."""

import json
import threading

import pytest
from prometheus_client import REGISTRY
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop import supervised
from driftloop.errors import TransientError
from driftloop.service.health import answer
from driftloop.supervised import SupervisedThread


class Steps:
    """Does what it is told, step by step: raises what is an exception; then it has nothing to do."""

    def __init__(self, *outcomes):
        self.outcomes, self.taken = list(outcomes), 0
        self.thread = None

    def __call__(self):
        self.taken += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        self.thread.wait(0.01)


@pytest.fixture
def follow(monkeypatch, unique):
    """Starts a thread that takes these steps, with pauses that a test can wait for."""
    monkeypatch.setattr(supervised, "FIRST_PAUSE_SECONDS", 0.01)
    started = []

    def follow(*outcomes, **options):
        steps = Steps(*outcomes)
        steps.thread = SupervisedThread(f"t-{unique}", steps, **options)
        started.append(steps.thread)
        steps.thread.start()
        return steps

    yield follow
    for thread in started:
        thread.stop()


def value(name, unique):
    return REGISTRY.get_sample_value(name, {"follower": f"t-{unique}"})


@pytest.mark.parametrize(
    "error", [TransientError("broker away"), RuntimeError("a bug"), AssertionError("in a client"), OverflowError("a time"), KeyError("x")]
)
def test_whatever_a_step_raises_the_next_one_is_taken(follow, unique, error):
    steps = follow(None, error, None)

    wait_until(lambda: steps.taken > 4, "steps after the failure")

    assert value("driftloop_follower_failures_total", unique) == 1
    assert steps.thread.as_dict()["last_error"] == f"{type(error).__name__}: {error}"


def test_pauses_between_failures_grow_up_to_the_longest(follow, monkeypatch):
    pauses = []
    monkeypatch.setattr(SupervisedThread, "wait", lambda self, seconds: pauses.append(seconds) or threading.Event().wait(0.001))

    steps = follow(*(RuntimeError("a bug") for _ in range(6)), longest_pause_seconds=0.05)
    wait_until(lambda: steps.taken > 7, "all failures and a success")

    assert pauses[:7] == [0.01, 0.02, 0.04, 0.05, 0.05, 0.05, 0.01]


def test_age_is_that_of_the_last_success(follow, unique):
    now = [100.0]

    steps = follow(clock=lambda: now[0])
    wait_until(lambda: steps.taken > 1, "a success")
    steps.outcomes += [TransientError("away")] * 1000
    wait_until(lambda: steps.thread.as_dict()["failures"] > 0, "a failure")
    now[0] = 160.0

    assert value("driftloop_follower_age_seconds", unique) == 60.0
    assert steps.thread.age_seconds() == 60.0
    steps.outcomes.clear()
    steps.thread.wake()
    wait_until(lambda: steps.thread.age_seconds() == 0.0, "a success after all")


def test_news_end_a_pause(follow, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_PAUSE_SECONDS", 60.0)
    steps = follow(RuntimeError("a bug"))
    wait_until(lambda: steps.thread.as_dict()["failures"] == 1, "the failure")

    steps.thread.wake()

    wait_until(lambda: steps.taken > 1, "the next step")


def test_stop_ends_a_pause_and_the_thread(follow, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_PAUSE_SECONDS", 60.0)
    steps = follow(RuntimeError("a bug"))
    wait_until(lambda: steps.thread.as_dict()["failures"] == 1, "the failure")

    steps.thread.stop()

    assert not steps.thread._thread.is_alive()
    assert steps.taken == 1


def test_thread_that_something_wants_to_end_goes_on(follow):
    steps = follow(SystemExit(1), GeneratorExit())

    wait_until(lambda: steps.taken > 3, "steps after the wish to end")

    assert supervised.stuck() == {}


def test_one_that_breaks_down_again_and_again_makes_its_service_not_ready_until_it_comes_along(follow, unique):
    now = [0.0]
    steps = follow(*[RuntimeError("a bug")] * 1000, clock=lambda: now[0], longest_pause_seconds=0.01)
    wait_until(lambda: steps.thread.as_dict()["failures"] > 0, "a failure")
    assert answer("/readyz", Ready()).code == 200

    now[0] = supervised.STUCK_SECONDS + 1

    said = answer("/readyz", Ready())
    assert said.code == 503
    assert json.loads(said.body)["followers"] == {f"t-{unique}": "for 121 s: RuntimeError: a bug"}
    assert json.loads(answer("/status", Ready()).body)["followers"][f"t-{unique}"]["age_seconds"] == 121.0
    steps.outcomes.clear()
    wait_until(lambda: answer("/readyz", Ready()).code == 200, "the service to be ready again")


def test_one_whose_step_does_not_return_makes_its_service_not_ready(follow, unique):
    now, stay = [0.0], threading.Event()
    steps = follow(clock=lambda: now[0])
    steps.thread._step = lambda: stay.wait(60)

    now[0] = supervised.STUCK_SECONDS + 1

    wait_until(lambda: supervised.stuck() == {f"t-{unique}": "for 121 s: its step does not return"}, "it to be seen")
    stay.set()


def test_broker_or_store_that_is_away_makes_no_service_unready(follow):
    """The last good model goes on serving, and what is folded is read."""
    now = [0.0]
    steps = follow(*[TransientError("broker away")] * 1000, clock=lambda: now[0], longest_pause_seconds=0.01)
    wait_until(lambda: steps.thread.as_dict()["failures"] > 0, "a failure")

    now[0] = 10 * supervised.STUCK_SECONDS

    assert answer("/readyz", Ready()).code == 200


def test_thread_that_has_ended_all_the_same_is_seen(unique):
    thread = SupervisedThread(f"t-{unique}", lambda: None)
    thread.start()
    thread._stopping.set()
    thread._thread.join(PATIENCE_SECONDS)
    try:
        assert supervised.stuck() == {f"t-{unique}": "it has ended"}
    finally:
        thread.stop()
    assert supervised.stuck() == {}


class Ready:
    def ready(self):
        return True, {}

    def status(self):
        return {}
