"""Writing to Kafka with a word on each message: for applications, which go on after a failure."""

import threading
from collections.abc import Callable

from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError
from kafka.partitioner.default import murmur2

from driftloop.adapters.kafka_clients import refusal_of
from driftloop.adapters.kafka_errors import translated
from driftloop.adapters.kafka_producer import _NULL, Producer
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.headers import Headers
from driftloop.errors import ConfigurationError, TransientError


class KafkaReportingProducer:
    """Keeps ``ports.ReportingProducer``, with the settings of ``Producer``: acks from all replicas, idempotent."""

    def __init__(self, bootstrap: str | Cluster, *, client_id: str, max_message_bytes: int, delivery_timeout_seconds: float) -> None:
        self._producer = Producer(
            bootstrap, client_id=client_id, max_message_bytes=max_message_bytes, delivery_timeout_seconds=delivery_timeout_seconds
        )
        self._inner = self._producer._inner
        self._timeout_seconds = delivery_timeout_seconds

    def partitions(self, topic: str) -> int:
        metadata, answered = self._inner._metadata, threading.Event()
        with translated(f"asking for the partitions of {topic}"):
            self._inner._sender.add_topic(topic)
            asked = metadata.request_update()
            asked.add_both(lambda *_: answered.set())
            self._inner._sender.wakeup()
            if not answered.wait(self._timeout_seconds):
                said = refusal_of(self._inner)
                raise KafkaTimeoutError(f"no answer in {self._timeout_seconds:g} s" + (f"; {said}" if said else ""))
            if asked.failed() and not asked.retriable():
                raise asked.exception
            if topic in metadata.unauthorized_topics:
                raise TopicAuthorizationFailedError({topic})
        known = metadata.partitions_for_topic(topic)
        if not known:
            raise ConfigurationError(f"topic {topic} does not exist; create it with: driftloop up --project DIR")
        return len(known)

    def partition_of(self, topic: str, key: bytes) -> int:
        known = self._inner._metadata.partitions_for_topic(topic)
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
        with translated(f"sending to {topic}"):
            future = self._inner.send(topic, value=_NULL if value is None else value, key=key, partition=partition, headers=list(headers))
        future.add_callback(lambda _: done(None))
        future.add_errback(lambda failure: done(self._sorted(topic, failure)))

    def close(self) -> None:
        self._producer.close()

    def _sorted(self, topic: str, failure: BaseException) -> Exception:
        said = refusal_of(self._inner)
        try:
            with translated(f"not delivered to {topic}"):
                raise failure
        except TransientError as exc:
            return TransientError(f"{exc}; {said}") if said else exc
        except Exception as exc:  # noqa: BLE001 - whatever ended it, it is told
            return exc
