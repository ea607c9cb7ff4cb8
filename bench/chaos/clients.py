"""Applications' own producers: both clients, each codec, acks from all replicas, idempotent, and patient enough for any fault."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from kafka import KafkaProducer
from kafka.errors import KafkaError

from bench.chaos.book import UID, Book
from bench.chaos.codecs import NONE
from bench.chaos.messages import VIAS, Message, Via
from driftloop.contracts.headers import Headers

DELIVERY_SECONDS = 600.0  # an outcome that is unknown proves less
REQUEST_SECONDS = 20.0


class Sending(Protocol):
    def send(self, topic: str, message: Message, headers: Headers, uid: str) -> None:
        """Hand it over; the book is told of its outcome later."""

    def close(self) -> None:
        """Wait for all outcomes."""


class WithKafkaPython:
    def __init__(self, bootstrap: str, codec: str, book: Book) -> None:
        self._book = book
        self._inner = KafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=f"chaos-python-{codec}",
            acks="all",
            enable_idempotence=True,
            compression_type=None if codec == NONE else codec,
            linger_ms=20,  # so that there is something to compress
            delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
            max_block_ms=int(DELIVERY_SECONDS * 1000),
            reconnect_backoff_max_ms=2_000,
        )

    def send(self, topic: str, message: Message, headers: Headers, uid: str) -> None:
        try:
            future = self._inner.send(topic, value=message.value, key=message.key, headers=list(headers))
        except KafkaError as exc:
            self._book.failed(repr(exc))
            return
        future.add_callback(lambda _metadata: self._book.arrived(uid))
        future.add_errback(lambda exc: self._book.failed(repr(exc)))

    def close(self) -> None:
        try:
            self._inner.flush(timeout=DELIVERY_SECONDS)
        except KafkaError as exc:
            self._book.failed(repr(exc))
        self._inner.close(timeout=10)


class WithAiokafka:
    def __init__(self, bootstrap: str, codec: str, book: Book) -> None:
        self._book = book
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"chaos-aiokafka-{codec}", daemon=True)
        self._thread.start()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._inner: AIOKafkaProducer = self._run(self._started(bootstrap, codec))

    def send(self, topic: str, message: Message, headers: Headers, uid: str) -> None:
        self._run(self._send(topic, message, headers, uid))

    def close(self) -> None:
        try:
            self._run(self._finish())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _started(self, bootstrap: str, codec: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=f"chaos-aiokafka-{codec}",
            acks="all",
            enable_idempotence=True,
            compression_type=None if codec == NONE else codec,
            linger_ms=20,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
        )
        await producer.start()
        return producer

    async def _send(self, topic: str, message: Message, headers: Headers, uid: str) -> None:
        task = self._loop.create_task(self._outcome(topic, message, headers, uid))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _outcome(self, topic: str, message: Message, headers: Headers, uid: str) -> None:
        try:
            await (await self._taken(topic, message, headers))
            self._book.arrived(uid)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the outcome is not known
            self._book.failed(repr(exc))

    async def _taken(self, topic: str, message: Message, headers: Headers) -> asyncio.Future[Any]:
        """By the client, which does not wait for a broker that is away longer than a request: then nothing was sent."""
        deadline = self._loop.time() + DELIVERY_SECONDS
        while True:
            try:
                taken: asyncio.Future[Any] = await self._inner.send(topic, value=message.value, key=message.key, headers=list(headers))
            except KafkaTimeoutError:
                if self._loop.time() > deadline:
                    raise
                continue
            return taken

    async def _finish(self) -> None:
        while self._waiting:
            await asyncio.wait(set(self._waiting), timeout=1)
        await self._inner.stop()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DELIVERY_SECONDS)


class Applications:
    """A producer for each client and codec; ``send`` takes them in turns."""

    def __init__(self, bootstrap: str, codecs: Sequence[str], book: Book) -> None:
        self._book = book
        kinds: dict[Via, type[WithKafkaPython] | type[WithAiokafka]] = {"kafka-python": WithKafkaPython, "aiokafka": WithAiokafka}
        self._clients: list[tuple[Via, str, Sending]] = [
            (via, codec, kinds[via](bootstrap, codec, book)) for via in VIAS for codec in codecs
        ]
        self._turn = 0

    def send(self, stream: str, message: Message) -> None:
        via, codec, client = self._clients[self._turn % len(self._clients)]
        self._turn += 1
        sent = self._book.sending(stream, message, via, codec)
        client.send(f"{stream}.{message.topic}", message, (*message.headers, (UID, sent.uid.encode())), sent.uid)

    def close(self) -> None:
        """Return when every outcome is known, or will never be."""
        for _, _, client in self._clients:
            client.close()
