"""One control topic in memory and one worker on it."""

import threading
import time

from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.kafka_producer import Publisher
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.events import TrainingFailed
from driftloop.ports import Record, TopicPartition
from driftloop.service.event_worker import EventWorker, HandledEvents, on
from driftloop.service.process import Stop

TP = TopicPartition("training-runs", 0)
INVALID_SECONDS = 0.2


class Scene:
    """One control topic and one worker on it."""

    def __init__(self, handle, *, handled: HandledEvents | None = None, broker: MemoryBroker | None = None) -> None:
        self.broker, self.stop = broker or MemoryBroker(), Stop()
        self.broker.create_topic(TP.topic)
        self.rejected: list[tuple[Record, str]] = []
        self.handle = handle
        self.publisher = Publisher(self.broker.producer(), source="driftloop/test")
        self.consumer = self.broker.consumer(group="g", topics=[TP.topic])
        self.worker = EventWorker(
            self.consumer,
            [on(TrainingFailed, handle)],
            stop=self.stop,
            reject=lambda r, why: self.rejected.append((r, why)),
            handled=handled,
            max_backoff_seconds=0.1,
            invalid_seconds=INVALID_SECONDS,
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
