"""Clients that are not ours: producers that compress, and the client that faust reads with."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from driftloop.ports import Record
from driftloop_monitor.faust_support.records import hole_before, read_so

CODECS = ("gzip", "snappy", "lz4", "zstd")

read_so()


def send_batch(
    bootstrap: str,
    topic: str,
    values: Sequence[bytes],
    *,
    codec: str | None = None,
    partition: int = 0,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> int:
    """All values in one batch; returns the offset of the first."""

    async def send() -> int:
        size = sum(map(len, values)) + 100 * len(values) + 1000
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=codec,
            max_batch_size=size,
            max_request_size=size,
            request_timeout_ms=60_000,
            enable_idempotence=True,
        )
        await producer.start()
        try:
            batch = producer.create_batch()
            for value in values:
                assert batch.append(key=None, value=value, timestamp=None, headers=list(headers)) is not None
            metadata = await (await producer.send_batch(batch, topic, partition=partition))
            return int(metadata.offset)
        finally:
            await producer.stop()

    return asyncio.run(send())


def read_by_aiokafka(
    bootstrap: str,
    topic: str,
    partitions: int = 2,
    *,
    sizes: list[int] | None = None,
    holes: dict[int, int | None] | None = None,
    most: int | None = None,
) -> list[Record]:
    """Everything in the topic, by position, ``most`` records at a time. ``sizes`` takes the bytes that each fetch brought,
    ``holes`` by offset what the monitor is told of the offsets before a record."""

    async def read() -> list[Record]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=16 * 1024 * 1024,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, p) for p in range(partitions)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            records: list[Record] = []
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                fetched = await consumer.getmany(timeout_ms=200, max_records=most)
                if holes is not None:
                    holes.update({r.offset: hole_before(r) for some in fetched.values() for r in some})
                found = [_record(r) for some in fetched.values() for r in some]
                if sizes is not None and found:
                    sizes.append(sum(len(r.value or b"") for r in found))
                records += found
            return records
        finally:
            await consumer.stop()

    return asyncio.run(asyncio.wait_for(read(), 60))


def _record(r: Any) -> Record:
    headers = tuple((name, value or b"") for name, value in r.headers)
    return Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, headers)
