"""Writing to Kafka with a word on each message: for applications, which go on after a failure."""

import threading
import time
from collections.abc import Callable

from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError
from kafka.partitioner.default import murmur2

from driftloop.adapters.kafka_clients import refusal_of
from driftloop.adapters.kafka_errors import translated
from driftloop.adapters.kafka_producer import _NULL, Producer
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.headers import Headers
from driftloop.errors import ConfigurationError, TransientError
from driftloop.telemetry import get_logger

ASKED_TWICE = 2  # the first answer may be to a question of before
ASKED_FOR_ONE_THAT_IS_MISSING = 5  # brokers hear of a new topic one after the other

log = get_logger(__name__)


class KafkaReportingProducer:
    """Keeps ``ports.ReportingProducer``, with the settings of ``Producer``: acks from all replicas, idempotent.

    kafka-python's idempotent producer takes nothing any more after what it calls a fatal error, such as one message that is too large,
    and fails all that is under way; then the next message goes through a new one.
    """

    def __init__(self, bootstrap: str | Cluster, *, client_id: str, max_message_bytes: int, delivery_timeout_seconds: float) -> None:
        def connect() -> Producer:
            return Producer(
                bootstrap, client_id=client_id, max_message_bytes=max_message_bytes, delivery_timeout_seconds=delivery_timeout_seconds
            )

        self._connect, self._timeout_seconds = connect, delivery_timeout_seconds
        self._current = connect()
        self._renewing = threading.Lock()

    def partitions(self, topic: str) -> int:
        producer, deadline, known = self._usable(), time.monotonic() + self._timeout_seconds, None
        for asked in range(1, ASKED_FOR_ONE_THAT_IS_MISSING + 1):
            with translated(f"asking for the partitions of {topic}"):
                _ask(producer, topic, deadline)
            known = producer._inner._metadata.partitions_for_topic(topic)
            if known and asked >= ASKED_TWICE:
                return len(known)
        raise ConfigurationError(f"topic {topic} does not exist; create it with: driftloop up --project DIR")

    def partition_of(self, topic: str, key: bytes) -> int:
        known = self._current._inner._metadata.partitions_for_topic(topic)
        n = len(known) if known else self.partitions(topic)
        return int((murmur2(key) & 0x7FFFFFFF) % n)

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
        producer = self._usable()
        with translated(f"sending to {topic}"):
            future = producer._inner.send(
                topic, value=_NULL if value is None else value, key=key, partition=partition, headers=list(headers)
            )
        future.add_callback(lambda _: done(None))
        future.add_errback(lambda failure: done(_sorted(producer, topic, failure)))

    def close(self) -> None:
        self._current.close()

    def _usable(self) -> Producer:
        if not _is_lost(self._current):
            return self._current
        with self._renewing:
            lost = self._current
            if _is_lost(lost):
                self._current = self._connect()
                try:
                    lost.close()
                except TransientError as exc:
                    log.warning("producer-not-closed", reason=str(exc))
            return self._current


def _is_lost(producer: Producer) -> bool:
    return bool(producer._inner._transaction_manager.has_fatal_error())


def _ask(producer: Producer, topic: str, deadline: float) -> None:
    """Hear of the topic from a broker, once. Raises kafka-python's errors."""
    inner, answered = producer._inner, threading.Event()
    inner._sender.add_topic(topic)
    while topic not in inner._metadata._topics and time.monotonic() < deadline:
        time.sleep(0.01)  # the client's thread takes it up
    asked = inner._metadata.request_update()
    asked.add_both(lambda *_: answered.set())
    if not answered.wait(max(0.0, deadline - time.monotonic())):
        said = refusal_of(inner)
        raise KafkaTimeoutError("no broker answers" + (f"; {said}" if said else ""))
    if asked.failed() and not asked.retriable():
        raise asked.exception
    if topic in inner._metadata.unauthorized_topics:
        raise TopicAuthorizationFailedError({topic})


def _sorted(producer: Producer, topic: str, failure: BaseException) -> Exception:
    said = refusal_of(producer._inner)
    try:
        with translated(f"not delivered to {topic}"):
            raise failure
    except TransientError as exc:
        return TransientError(f"{exc}; {said}") if said else exc
    except Exception as exc:  # noqa: BLE001 - whatever ended it, it is told
        return exc
