"""What came of a request is waited for: the run that answers it, then the gate."""

import msgspec
import pytest
from tests.unit.history.facts import MODEL, completed, failed, judged, requested, started, tell

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.client.retraining_outcome import LOOK_SECONDS, outcome, wait_for_outcome
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.errors import TransientError
from driftloop.history.model_history import ModelHistory


def history(*told):
    return tell(ModelHistory(MODEL), *told)


def test_nothing_came_of_a_request_before_its_run_and_its_gate():
    told = [("q", requested()), ("s", started("q")), ("c", completed("q"))]
    assert all(outcome(history(*told[:n]), MODEL, "q") is None for n in range(4))


@pytest.mark.parametrize(("accepted", "said"), [(True, "promoted"), (False, "refused")])
def test_the_gates_decision_on_the_run_is_what_came_of_it(accepted, said):
    found = outcome(
        history(("q", requested()), ("s", started("q")), ("c", completed("q")), ("d", judged("q", accepted=accepted))), MODEL, "q"
    )
    assert (found.outcome, found.run, found.reason) == (said, "q", judged("q").reason)


def test_a_request_that_another_ones_run_has_answered_has_that_runs_outcome():
    told = [("p", requested()), ("q", requested()), ("c", completed("p", "q")), ("d", judged("p"))]
    found = outcome(history(*told), MODEL, "q")
    assert (found.outcome, found.request_id, found.run) == ("promoted", "q", "p")


def test_a_run_that_failed_is_the_end():
    found = outcome(history(("q", requested()), ("f", failed("q"))), MODEL, "q")
    assert (found.outcome, found.reason) == ("failed", "no")


class Passing:
    """Time that passes in sleep alone; ``then`` happens, one after another, each time."""

    def __init__(self, *then) -> None:
        self.now, self._then = 0.0, list(then)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._then:
            self._then.pop(0)()


@pytest.fixture
def broker():
    found = MemoryBroker()
    for topic in CONTROL_TOPICS:
        found.create_topic(topic.name, topic.partitions)
    return found


def test_it_reads_on_until_the_gate_has_decided(broker):
    publisher = Publisher(broker.producer(), source="test")

    def publish(topic, event, id):
        return lambda: publisher.publish(topic, event, key=MODEL, id=id)

    publish(RETRAIN_REQUESTS, requested(), "q")()
    time = Passing(lambda: None, publish(TRAINING_RUNS, completed("q"), "c"), publish(DECISIONS, judged("q"), "d"))
    found = wait_for_outcome(broker, MODEL, "q", 60, monotonic=lambda: time.now, sleep=time.sleep)
    assert (found.outcome, time.now) == ("promoted", 3 * LOOK_SECONDS)
    assert msgspec.to_builtins(found)["request_id"] == "q"


def test_it_says_what_it_has_waited_for_in_vain(broker):
    publisher, time = Publisher(broker.producer(), source="test"), Passing()
    with pytest.raises(TransientError, match="nothing came of request q within 10 s: no run has answered it yet; the request stands"):
        wait_for_outcome(broker, MODEL, "q", 10, monotonic=lambda: time.now, sleep=time.sleep)
    publisher.publish(TRAINING_RUNS, completed("q"), key=MODEL, id="c")
    with pytest.raises(TransientError, match="the gate has not decided yet"):
        wait_for_outcome(broker, MODEL, "q", 0, monotonic=lambda: time.now, sleep=time.sleep)
