"""The loop of the control services: commit last, the fates of an error, membership during long work."""

import threading
import time

import pytest
from prometheus_client import REGISTRY
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.predictor.samples import sample_pins
from tests.unit.service.event_scene import INVALID_SECONDS, TP, Scene

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event, TrainingFailed, TrainingStarted
from driftloop.errors import ConfigurationError, Fenced, GapError, InvalidMessage, TransientError
from driftloop.ports import TopicPartition
from driftloop.service.attempts import MAX_ATTEMPTS
from driftloop.service.event_worker import INVALID_IN_A_ROW, EventWorker, on
from driftloop.service.process import Stop


def test_an_offset_is_committed_only_after_its_handler_returned() -> None:
    seen: list[tuple[str, int | None]] = []
    scene = Scene(lambda event, about: seen.append((event.request_id, scene.committed)))
    scene.publish(3)
    scene.run_until(lambda: scene.committed == 3)
    assert seen == [("0", None), ("1", 1), ("2", 2)]


def test_a_transient_error_leaves_the_offset_and_repeats() -> None:
    attempts: list[int | None] = []

    def handle(event: Event, about: Envelope) -> None:
        attempts.append(scene.committed)
        if len(attempts) < 3:
            raise TransientError("store away")

    scene = Scene(handle)
    scene.publish()
    scene.run_until(lambda: scene.committed == 1)
    assert attempts == [None, None, None]


def test_an_invalid_message_is_set_aside_and_the_next_is_handled() -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    scene.garbage(1)
    scene.publish()
    scene.run_until(lambda: scene.committed == 2)
    assert seen == ["0"]
    assert [(r.value, r.offset) for r, _ in scene.rejected] == [(b"junk", 0)]


def test_a_handler_may_call_a_message_invalid_too() -> None:
    def handle(event: Event, about: Envelope) -> None:
        raise InvalidMessage("nonsense")

    scene = Scene(handle)
    scene.publish()
    scene.run_until(lambda: scene.committed == 1)
    assert scene.rejected[0][1] == "nonsense"


def test_many_invalid_messages_in_a_row_are_passed_over_slowly_and_the_next_is_handled() -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    scene.garbage(INVALID_IN_A_ROW + 2)
    scene.publish()
    began = time.monotonic()
    scene.run_until(lambda: scene.committed == INVALID_IN_A_ROW + 3)
    assert seen == ["0"]
    assert len(scene.rejected) == INVALID_IN_A_ROW + 2
    assert time.monotonic() - began >= 3 * INVALID_SECONDS


def test_a_few_invalid_messages_cost_no_time() -> None:
    waits: list[float] = []
    scene = Scene(lambda event, about: None)
    scene.worker._idle = waits.append  # type: ignore[method-assign]
    for _ in range(3):
        scene.garbage(INVALID_IN_A_ROW - 1)
        scene.publish()
    scene.run_until(lambda: scene.committed == 3 * INVALID_IN_A_ROW)
    assert waits == []


def test_an_event_that_fails_again_and_again_in_an_unforeseen_way_is_set_aside_and_the_next_is_handled() -> None:
    attempts: list[str] = []

    def handle(event: Event, about: Envelope) -> None:
        attempts.append(event.request_id)
        if event.request_id == "0":
            raise ZeroDivisionError("once more")

    scene = Scene(handle)
    scene.publish(2)
    scene.run_until(lambda: scene.committed == 2)
    assert attempts == ["0"] * MAX_ATTEMPTS + ["1"]
    ((record, reason),) = scene.rejected
    assert record.offset == 0
    assert "ZeroDivisionError: once more" in reason


def test_an_unforeseen_failure_that_passes_sets_nothing_aside() -> None:
    attempts: list[str] = []

    def handle(event: Event, about: Envelope) -> None:
        attempts.append(event.request_id)
        if len(attempts) < MAX_ATTEMPTS:
            raise ZeroDivisionError

    scene = Scene(handle)
    scene.publish()
    scene.run_until(lambda: scene.committed == 1)
    assert scene.rejected == []


@pytest.mark.parametrize("error", [ConfigurationError, Fenced, GapError])
def test_an_error_that_no_event_can_mend_stops_the_service_and_leaves_the_offset(error: type[Exception]) -> None:
    def handle(event: Event, about: Envelope) -> None:
        raise error("no")

    scene = Scene(handle)
    scene.publish()
    with pytest.raises(error):
        scene.run_until(lambda: False)
    assert scene.committed is None


def test_long_work_keeps_polling_without_reading_further() -> None:
    polls: list[float] = []
    release = threading.Event()
    scene = Scene(lambda event, about: release.wait(PATIENCE_SECONDS))
    scene.publish(2)
    poll = scene.consumer.poll

    def counted(timeout_seconds: float, max_records: int = 1000):
        polls.append(time.monotonic())
        if len(polls) > 5:
            release.set()
        return poll(timeout_seconds, max_records)

    scene.consumer.poll = counted  # type: ignore[method-assign]
    scene.run_until(lambda: scene.committed == 2)
    assert len(polls) > 5


def test_events_without_a_handler_are_passed_over() -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    started = TrainingStarted(model="m", request_id="s", answers=(), pins=sample_pins())
    scene.publisher.publish(TP.topic, started, key="m", id="s")
    scene.publish()
    scene.run_until(lambda: scene.committed == 2)
    assert seen == ["0"]


def test_two_handlers_for_one_type_are_a_mistake_of_whoever_builds_the_worker() -> None:
    consumer = MemoryBroker().consumer()
    handlers = [on(TrainingFailed, lambda event, about: None)] * 2
    with pytest.raises(ValueError, match="two handlers"):
        EventWorker(consumer, handlers, stop=Stop(), reject=lambda record, why: None)


@pytest.mark.parametrize("records_before", [2, 5])  # fewer than the new topic has, and more: an offset that it does not have
def test_a_topic_that_is_made_anew_is_read_from_its_beginning(records_before: int) -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    scene.publish(records_before)

    def made_anew_and_read() -> bool:
        if len(seen) == records_before and scene.committed == records_before:
            with scene.broker.lock:
                scene.broker.delete_topic(TP.topic)
                scene.broker.create_topic(TP.topic)
                scene.publish(3)
        return seen[records_before:] == ["0", "1", "2"] and scene.committed == 3

    scene.run_until(made_anew_and_read)


def test_the_groups_place_in_a_topic_that_was_made_anew_is_its_beginning_also_while_nothing_has_come() -> None:
    """Else the records that come while the worker is down, up to the place in the old topic, would be passed over."""
    scene = Scene(lambda event, about: None)
    scene.publish(2)
    places: list[int | None] = []

    def made_anew() -> bool:
        places.append(scene.committed)
        if places.count(2) == 1 and places[-1] == 2:
            with scene.broker.lock:
                scene.broker.delete_topic(TP.topic)
                scene.broker.create_topic(TP.topic)
                scene.broker.committed[("g", TP)] = 2  # as a broker keeps it for a while
        return 2 in places and scene.committed == 0

    scene.run_until(made_anew)


@pytest.mark.parametrize(("committed", "passed_over"), [(1, 2), (9, 0)], ids=["gone unread", "the log lost its end"])
def test_events_that_are_gone_are_told_and_counted_and_those_that_are_there_are_handled(committed: int, passed_over: int) -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    scene.publish(5)
    scene.broker.expire(TP, 3)
    scene.broker.committed[("g", TP)] = committed
    scene.broker.rebalance("g")
    before = counted()
    scene.run_until(lambda: scene.committed == 5)
    assert seen == ["3", "4"]
    assert counted() - before == passed_over


def test_a_broker_that_is_away_while_events_are_gone_is_asked_again() -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))
    scene.publish(2)
    scene.broker.expire(TP, 1)
    scene.broker.committed[("g", TP)] = 0
    scene.broker.rebalance("g")
    ends, asked = scene.consumer.end_offsets, []

    def first_away(tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        asked.append(tps)
        if len(asked) == 1:
            raise TransientError("away")
        return ends(tps)

    scene.consumer.end_offsets = first_away  # type: ignore[method-assign]
    scene.run_until(lambda: scene.committed == 2)
    assert seen == ["1"]


def test_a_gap_in_nothing_that_the_worker_reads_stops_it() -> None:
    scene = Scene(lambda event, about: None)

    def poll(timeout_seconds: float, max_records: int = 1000) -> None:
        raise GapError("somewhere")

    scene.consumer.poll = poll  # type: ignore[method-assign]
    with pytest.raises(GapError, match="somewhere"):
        scene.run_until(lambda: False)


def counted() -> float:
    return REGISTRY.get_sample_value("driftloop_unreadable_records_total", {"topic": TP.topic}) or 0.0


def test_a_broker_that_does_not_take_an_offset_stops_nothing() -> None:
    seen: list[str] = []
    scene = Scene(lambda event, about: seen.append(event.request_id))

    def away(offsets: object) -> None:
        raise TransientError("away")

    scene.consumer.commit = away  # type: ignore[method-assign]
    scene.publish(2)
    scene.run_until(lambda: seen == ["0", "1"])
