"""A producer that is made anew after a failed delivery.

kafka-python drops what it could not deliver and sends what comes later, so a producer that failed once cannot be trusted
with order. Who repeats a step under the same id needs no order across a failure, and goes on with a new one.
"""

import threading
from collections.abc import Callable

from driftloop.contracts.headers import Headers
from driftloop.errors import MessageTooLarge, TransientError
from driftloop.ports import MessageProducer
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class RenewedProducer:
    """Keeps ``ports.MessageProducer``, but for order across a failure. Connects on first use; safe between threads."""

    def __init__(self, connect: Callable[[], MessageProducer]) -> None:
        self._connect = connect
        self._current: MessageProducer | None = None
        self._lock = threading.Lock()

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        producer = self._connected()
        try:
            producer.send(topic, value, key=key, partition=partition, headers=headers, timestamp_ms=timestamp_ms)
        except (MessageTooLarge, TransientError):
            self._forget(producer)
            raise

    def flush(self) -> None:
        producer = self._connected()
        try:
            producer.flush()
        except (MessageTooLarge, TransientError):
            self._forget(producer)
            raise

    def close(self) -> None:
        if self._current is not None:
            self._forget(self._current)

    def _connected(self) -> MessageProducer:
        with self._lock:
            if self._current is None:
                self._current = self._connect()
            return self._current

    def _forget(self, failed: MessageProducer) -> None:
        with self._lock:
            if self._current is not failed:
                return  # another thread was here first
            self._current = None
        try:
            failed.close()
        except TransientError as exc:
            log.warning("producer-not-closed", reason=str(exc))
