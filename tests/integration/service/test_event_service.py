"""A new event service out of the kit, against a real broker: it starts, says how it is, does a thing once, and ends in time."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.servers import kafka_server
from tests.support.small_service import Scribe
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import Producer, Publisher, create_topics
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS

Decide = Callable[..., None]


@pytest.fixture(scope="module")
def kafka_bootstrap() -> Iterator[str]:
    """A broker without the decisions of other tests: a process that dies over each of them never gets to this file's."""
    with kafka_server() as bootstrap:
        yield bootstrap


@pytest.fixture
def decide(kafka_bootstrap: str, unique: str) -> Iterator[Decide]:
    """Publishes a decision under an id, which ends in what makes this test's ids its own."""
    create_topics(kafka_bootstrap, CONTROL_TOPICS)
    producer = Producer(kafka_bootstrap, client_id=f"test-{unique}")
    publisher = Publisher(producer, source="driftloop/test")

    def published(event_id: str) -> None:
        event = DecisionMade(model=unique, kind="retrain", accepted=True, reason="test", window=None, rule="0" * 64, evidence={})
        publisher.publish(DECISIONS, event, key=unique, id=f"{event_id}-{unique}")

    yield published
    producer.close()


@pytest.fixture
def scribe(kafka_bootstrap: str, unique: str, tmp_path: Path) -> Iterator[Scribe]:
    made = Scribe(tmp_path, f"scribe{unique}", kafka_bootstrap)
    yield made
    made.close()


def mine(scribe: Scribe, unique: str) -> list[str]:
    """What was noted down of this test's decisions: the topic has those of others too."""
    return [note.removesuffix(f"-{unique}") for note in scribe.notes() if note.endswith(unique)]


def test_an_event_that_is_delivered_twice_is_handled_once(scribe: Scribe, decide: Decide, unique: str) -> None:
    decide("first")
    decide("first")
    scribe.start()
    wait_until(scribe.ready, f"the scribe to be ready, see {scribe.log}", 60)
    assert scribe.answers("/healthz") == (200, {"alive": True})
    assert scribe.answers("/status")[1] == {"instance": f"scribe{unique}-0", "gap": None, "followers": {}}
    decide("second")
    decide("first")
    decide("last")
    wait_until(lambda: "last" in mine(scribe, unique), "the last decision to be noted down", 60)
    assert mine(scribe, unique) == ["first", "second", "last"]
    shown = scribe.http.get("/metrics").text
    assert 'driftloop_handling_seconds_count{type="driftloop.decision-made.v1"}' in shown
    assert 'driftloop_messages_total{topic="decisions"}' in shown


def test_it_ends_in_time_when_it_is_asked_to_and_goes_on_where_it_was(scribe: Scribe, decide: Decide, unique: str) -> None:
    decide("before")
    scribe.start()
    wait_until(lambda: "before" in mine(scribe, unique), f"the decision to be noted down, see {scribe.log}", 60)
    with Stopwatch() as taken:
        assert scribe.terminate() == 0
    assert taken.seconds < 10
    decide("meanwhile")
    scribe.start()
    wait_until(lambda: "meanwhile" in mine(scribe, unique), f"the other decision to be noted down, see {scribe.log}", 60)
    assert mine(scribe, unique) == ["before", "meanwhile"]


def test_a_kill_before_the_offset_is_committed_repeats_nothing(scribe: Scribe, decide: Decide, unique: str) -> None:
    decide("only")
    scribe.start(DRIFTLOOP_CRASH_POINT="event-worker.after-remembered")
    killed_over(scribe, unique)
    scribe.start()
    decide("next")
    wait_until(lambda: "next" in mine(scribe, unique), f"the next decision to be noted down, see {scribe.log}", 60)
    assert mine(scribe, unique) == ["only", "next"]


def killed_over(scribe: Scribe, unique: str) -> None:
    """The topic holds the other tests' decisions too: the process is started until it dies over this one's."""
    for _ in range(20):
        assert scribe.wait() == -signal.SIGKILL
        if "only" in mine(scribe, unique):
            return
        scribe.start(DRIFTLOOP_CRASH_POINT="event-worker.after-remembered")
    pytest.fail("the decision of this test never came")


def test_without_a_broker_it_says_that_it_waits_and_can_be_ended(unique: str, tmp_path: Path) -> None:
    scribe = Scribe(tmp_path, f"scribe{unique}", "127.0.0.1:9")
    try:
        scribe.start()
        wait_until(lambda: scribe.answers("/healthz")[0] == 200, f"it to answer, see {scribe.log}", 60)
        assert scribe.answers("/readyz") == (503, {"ready": False, "reason": "waiting for the broker"})
        assert scribe.terminate() == 0
    finally:
        scribe.close()
