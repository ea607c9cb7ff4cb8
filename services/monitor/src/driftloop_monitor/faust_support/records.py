"""faust's client reads records as the rest of driftloop does: any codec, any bytes in a header's key, and within bounds."""

from typing import Any

import aiokafka.consumer.fetcher as fetcher
from aiokafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords

from driftloop.adapters.kafka_records import MAX_POLL_BYTES, read_records_so

_MAGIC_AT = MemoryRecords.MAGIC_OFFSET


class Records(MemoryRecords):  # type: ignore[misc]
    """In place of aiokafka's: its batches are ``kafka_records.Batch``."""

    def next_batch(self) -> Any:
        found = self._next_slice
        if found is not None and found[_MAGIC_AT] < 2:  # of before Kafka 0.11: without headers, and never written again
            self._cache_next()
            return LegacyRecordBatch(found, found[_MAGIC_AT])
        return super().next_batch()


def getall(result: Any, max_records: int | None = None) -> list[Any]:
    """In place of ``FetchResult.getall``: what is left once enough bytes are in hand comes with the next call."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    some: list[Any] = []
    size = 0
    for message in result._partition_records:
        some.append(message)
        size += max(message.serialized_key_size, 0) + max(message.serialized_value_size, 0)
        if size >= MAX_POLL_BYTES or len(some) == max_records:
            result._update_position()
            return some
    result._update_position()
    result._partition_records = None
    return some


def read_so() -> None:
    """Teach aiokafka, in this process. Doing it twice does it once."""
    read_records_so()
    fetcher.MemoryRecords = Records
    fetcher.FetchResult.getall = getall
