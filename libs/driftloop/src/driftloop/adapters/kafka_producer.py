"""Writing to Kafka."""

import threading
import time
from datetime import datetime
from typing import Literal

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.serializer import Serializer

from driftloop.adapters.kafka_clients import connected, refusal_of
from driftloop.adapters.kafka_codecs import write_zstd_so
from driftloop.adapters.kafka_errors import TOO_LARGE, refused_right, translated
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import Event
from driftloop.contracts.headers import Headers
from driftloop.errors import ConfigurationError, MessageTooLarge, TransientError
from driftloop.ports import MessageProducer

write_zstd_so()

MIB = 1024 * 1024
NEW_PARTITION_SECONDS = 10.0
FLUSH_GRACE_SECONDS = 10.0  # a batch is given up at its delivery timeout, as soon as the client's thread looks
_NULL = object()  # kafka-python refuses null under a null key, which a rejected message may well have


class _NullToo(Serializer):  # type: ignore[misc]
    def serialize(self, topic: str, headers: object, data: object) -> object:
        return None if data is _NULL else data


class Producer:
    """Keeps ``ports.MessageProducer``: acks from all replicas, idempotent, in order per partition.

    kafka-python drops a batch after its delivery timeout and goes on with later ones, so one failure is remembered for
    good: every later ``send`` and ``flush`` raises, and the owner must end the process. It gives no batch up while it waits for a
    producer id, and after a broker's hard end it may wait for one for ever (3.0.12, seen once in 95 faults): a flush is bounded.
    """

    def __init__(
        self,
        bootstrap: str | Cluster,
        *,
        client_id: str,
        max_message_bytes: int = 8 * MIB,
        delivery_timeout_seconds: float = 60,
        compression: Literal["zstd"] | None = "zstd",
    ) -> None:
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._delivery_seconds = delivery_timeout_seconds
        with translated("connecting to Kafka"):
            self._inner = connected(
                KafkaProducer,
                bootstrap,
                client_id=client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                batch_size=256 * 1024,
                compression_type=compression,
                max_request_size=max_message_bytes + 64 * 1024,
                delivery_timeout_ms=int(delivery_timeout_seconds * 1000),
                request_timeout_ms=min(30_000, int(delivery_timeout_seconds * 1000) - 1000),
                max_block_ms=int(delivery_timeout_seconds * 1000),
                allow_auto_create_topics=False,
                reconnect_backoff_max_ms=2_000,
                value_serializer=_NullToo(),
            )

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
        self._raise_failure()
        if partition is not None:
            self._know(topic, partition)
        with translated(f"sending to {topic}"):
            future = self._inner.send(
                topic,
                value=_NULL if value is None else value,
                key=key,
                partition=partition,
                headers=list(headers),
                timestamp_ms=timestamp_ms,
            )
        future.add_errback(self._remember)

    def _know(self, topic: str, partition: int) -> None:
        """The topic may have got the partition since its metadata was fetched, which is done every few minutes."""
        metadata, deadline = self._inner._metadata, time.monotonic() + NEW_PARTITION_SECONDS
        while partition not in (known := metadata.partitions_for_topic(topic) or {partition}):
            if time.monotonic() > deadline:
                raise TransientError(f"{topic} has {len(known)} partitions, none of them is {partition}")
            metadata.request_update()
            self._inner._sender.wakeup()
            time.sleep(0.1)

    def flush(self) -> None:
        """Return when the broker holds all that was sent before. Raises TransientError, MessageTooLarge."""
        with translated("flushing to Kafka"):
            try:
                self._inner.flush(timeout=self._delivery_seconds + FLUSH_GRACE_SECONDS)
            except KafkaTimeoutError as exc:
                self._remember(exc)
                raise
        self._raise_failure()

    def close(self) -> None:
        with translated("closing a producer"):
            self._inner.close(timeout=5)

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def _remember(self, failure: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or failure

    def _raise_failure(self) -> None:
        if isinstance(self._failure, TOO_LARGE):
            raise MessageTooLarge(f"a message was not delivered: {self._failure}")
        if (right := refused_right(self._failure)) is not None:
            raise ConfigurationError(f"a message was not delivered: {right}")
        if self._failure is not None:
            reason = self._failure if isinstance(self._failure, KafkaError) else repr(self._failure)
            said = refusal_of(self._inner)
            raise TransientError(f"a message was not delivered: {reason}" + (f"; {said}" if said else ""))


class Publisher:
    """Keeps ``ports.EventPublisher``."""

    def __init__(self, producer: MessageProducer, *, source: str) -> None:
        self._producer, self._source = producer, source

    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        value, headers = encode_event(event, envelope(event, id=id, source=self._source, subject=key, time=time))
        self._producer.send(topic, value, key=key.encode(), headers=headers)
        self._producer.flush()
