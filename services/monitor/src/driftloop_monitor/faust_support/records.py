"""faust's client reads records as the rest of driftloop does: any codec, any bytes in a header's key, and within bounds.

It also tells of offsets without a record, of control markers and aborted transactions, which faust alone cannot tell from a gap.
"""

from typing import Any

import aiokafka.consumer.fetcher as fetcher
from aiokafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords

from driftloop.adapters.kafka_records import MAX_POLL_BYTES, read_records_so
from driftloop.contracts.headers import Headers

_MAGIC_AT = MemoryRecords.MAGIC_OFFSET


class Records(MemoryRecords):  # type: ignore[misc]
    """In place of aiokafka's: its batches are ``kafka_records.Batch``."""

    def next_batch(self) -> Any:
        found = self._next_slice
        if found is not None and found[_MAGIC_AT] < 2:  # of before Kafka 0.11: without headers, and never written again
            self._cache_next()
            return LegacyRecordBatch(found, found[_MAGIC_AT])
        return super().next_batch()


class HeadersBehindHole(tuple[tuple[str, bytes | None], ...]):
    """Of a record before which there are no records from offset ``since`` on: all of them were read, and none was there."""

    since: int


def hole_before(message: Any) -> int | None:
    """Where the offsets without a record begin that end at this message; None when it follows another record."""
    return message.headers.since if isinstance(message.headers, HeadersBehindHole) else None


def plain_headers(message: Any) -> Headers:
    """As the other client gives them: a null value is an empty one."""
    return tuple((name, value or b"") for name, value in message.headers or ())


def getall(result: Any, max_records: int | None = None) -> list[Any]:
    """In place of ``FetchResult.getall``: what is left once enough bytes are in hand comes with the next call."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    part, state = result._partition_records, result._assignment.state_value(result._topic_partition)
    read_to, since = getattr(state, "read_on", (None, 0))
    if read_to != part.next_fetch_offset:  # not where the fetch before it ended: the consumer was put elsewhere
        since = part.next_fetch_offset
    some: list[Any] = []
    size = 0
    for message in part:
        if message.offset > since:
            message.headers = HeadersBehindHole(message.headers)
            message.headers.since = since
        since = message.offset + 1
        some.append(message)
        size += max(message.serialized_key_size, 0) + max(message.serialized_value_size, 0)
        if size >= MAX_POLL_BYTES or len(some) == max_records:
            break
    else:
        result._partition_records = None
    state.read_on = part.next_fetch_offset, since
    state.consumed_to(part.next_fetch_offset)
    return some


def read_so() -> None:
    """Teach aiokafka, in this process. Doing it twice does it once."""
    read_records_so()
    fetcher.MemoryRecords = Records
    fetcher.FetchResult.getall = getall
