"""The broker in memory for who wants to hear of each message; held to the same contract as Kafka."""

from collections.abc import Callable

from driftloop.adapters.memory_broker import MemoryBroker
from driftloop.contracts.headers import Headers


class MemoryReportingProducer:
    """Keeps ``ports.ReportingProducer``. ``hold``: messages wait until ``answer`` says what became of them, as behind a slow broker."""

    def __init__(self, broker: MemoryBroker, *, hold: bool = False) -> None:
        self._broker, self._producer, self._hold = broker, broker.producer(), hold
        self._held: list[tuple[Callable[[], None], Callable[[Exception | None], None]]] = []

    def partitions(self, topic: str) -> int:
        return len(self._broker.partitions(topic))

    def partition_of(self, topic: str, key: bytes) -> int:
        return sum(key) % self.partitions(topic)

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int,
        key: bytes | None = None,
        headers: Headers = (),
        done: Callable[[Exception | None], None],
    ) -> None:
        self._broker.partitions(topic)  # it must exist

        def append() -> None:
            self._producer.send(topic, value, key=key, partition=partition, headers=headers)

        if self._hold:
            self._held.append((append, done))
        else:
            append()
            done(None)

    def answer(self, failure: Exception | None = None) -> None:
        """For the oldest message that is held; with a failure the broker does not have it."""
        append, done = self._held.pop(0)
        if failure is None:
            append()
        done(failure)

    def close(self) -> None:
        """What is held is answered for no more."""
        self._held.clear()
