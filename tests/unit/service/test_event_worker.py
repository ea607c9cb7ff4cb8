"""The loop of the control services: commit last, the three fates of an error, membership during long work."""

import threading
import time

import pytest
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.kafka_producer import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event, TrainingFailed
from driftloop.errors import ConfigurationError, InvalidMessage, TransientError
from driftloop.ports import Record, TopicPartition
from driftloop.service.event_worker import MAX_INVALID_IN_A_ROW, EventWorker
from driftloop.service.process import Stop

TP = TopicPartition("training-runs", 0)


class Scene:
    """One control topic and one worker on it."""

    def __init__(self, handle) -> None:
        self.broker, self.stop = MemoryBroker(), Stop()
        self.broker.create_topic(TP.topic)
        self.rejected: list[tuple[Record, str]] = []
        self.handle = handle
        self.publisher = Publisher(self.broker.producer(), source="driftloop/test")
        self.consumer = self.broker.consumer(group="g", topics=[TP.topic])
        self.worker = EventWorker(
            self.consumer,
            {TrainingFailed: handle},
            stop=self.stop,
            reject=lambda r, why: self.rejected.append((r, why)),
            max_backoff_seconds=0.1,
        )

    def publish(self, n: int = 1) -> None:
        for i in range(n):
            self.publisher.publish(TP.topic, TrainingFailed(model="m", request_id=str(i), answers=(), reason="x"), key="m", id=str(i))

    def garbage(self, n: int) -> None:
        for _ in range(n):
            self.broker.producer().send(TP.topic, b"junk", partition=0)

    def run_until(self, condition, seconds: float = PATIENCE_SECONDS) -> None:
        thread = threading.Thread(target=self._run)
        self.error: BaseException | None = None
        thread.start()
        deadline = time.monotonic() + seconds
        while not condition() and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.stop.request()
        thread.join(PATIENCE_SECONDS)
        if self.error:
            raise self.error
        assert condition()

    def _run(self) -> None:
        try:
            self.worker.run()
        except Exception as exc:  # noqa: BLE001 - raised again in the test's thread
            self.error = exc

    @property
    def committed(self) -> int | None:
        return self.broker.committed.get(("g", TP))


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


def test_ten_invalid_messages_in_a_row_stop_the_service() -> None:
    scene = Scene(lambda event, about: None)
    scene.garbage(MAX_INVALID_IN_A_ROW + 5)
    with pytest.raises(ConfigurationError, match="10 invalid messages in a row"):
        scene.run_until(lambda: False)
    assert scene.committed == MAX_INVALID_IN_A_ROW - 1


def test_an_unknown_error_stops_the_service_and_leaves_the_offset() -> None:
    def handle(event: Event, about: Envelope) -> None:
        raise ZeroDivisionError

    scene = Scene(handle)
    scene.publish()
    with pytest.raises(ZeroDivisionError):
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
