"""A producer that is made anew after a failed delivery.

kafka-python drops what it could not deliver and sends what comes later, so a producer that failed once cannot be trusted
with order. Ingest needs none: it repeats the step, and every message names what caused it.
"""

from collections.abc import Callable
from typing import Protocol

from driftloop.contracts.headers import Headers
from driftloop.errors import TransientError
from driftloop.ports import MessageProducer


class FailingProducer(MessageProducer, Protocol):
    @property
    def failed(self) -> bool:
        """Whether a delivery failed: it will refuse to go on."""


class RenewedProducer:
    """Keeps ``ports.MessageProducer``."""

    def __init__(self, make: Callable[[], FailingProducer]) -> None:
        self._make = make
        self._producer = make()

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
        try:
            self._producer.send(topic, value, key=key, partition=partition, headers=headers, timestamp_ms=timestamp_ms)
        except TransientError:
            self._renew()
            raise

    def flush(self) -> None:
        try:
            self._producer.flush()
        except TransientError:
            self._renew()
            raise

    def close(self) -> None:
        self._producer.close()

    def _renew(self) -> None:
        if self._producer.failed:
            failed, self._producer = self._producer, self._make()
            failed.close()
