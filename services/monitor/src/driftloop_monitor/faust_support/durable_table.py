"""A faust table written from outside a stream's iteration: each write returns once the changelog holds it.

A value is whole in itself (offset and counts, or cursor and sketches), so a stale one, written late by a worker that
was paused, only makes its reader go on from further back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from driftloop import metrics
from driftloop.telemetry import get_logger

log = get_logger(__name__)
MAX_WAIT_SECONDS = 5.0


class Table(Protocol):
    """What is used of ``faust.Table``."""

    data: Any

    def send_changelog(self, partition: int | None, key: Any, value: Any) -> Awaitable[Any]:
        """Send a value, None to delete it, to the table's changelog; awaited, the broker holds it."""


class DurableTable:
    """``next_offset`` reads a source offset out of a partition's values; it bounds what may be committed to Kafka."""

    def __init__(self, table: Table, next_offset: Callable[[Mapping[bytes, bytes]], int | None]) -> None:
        self._table, self._next_offset = table, next_offset
        self._durable: dict[int, int] = {}
        self._placed: dict[int, int] = {}

    def values(self, partition: int) -> dict[bytes, bytes]:
        """The values of one partition, as recovered or written by this worker."""
        prefix = _prefix(partition)
        return {key[len(prefix) :]: value for key, value in self._table.data.items() if key.startswith(prefix) and value is not None}

    def recovered(self, partition: int) -> int | None:
        """The source offset to go on from after a recovery; None: nothing was ever stored."""
        offset = self._next_offset(self.values(partition))
        self._durable[partition] = offset or 0
        return offset

    def place(self, partition: int, offset: int) -> None:
        """Note where the consumer was put: with nothing stored, that is the first source offset to come."""
        self._placed[partition] = offset

    def placed(self, partition: int) -> int:
        """Where the consumer was put; 0 before it was."""
        return self._placed.get(partition, 0)

    def durable(self, partition: int) -> int:
        """The source offset that the changelog is known to account for."""
        return self._durable.get(partition, 0)

    async def write(self, partition: int, values: Mapping[bytes, bytes | None], next_offset: int) -> None:
        """Store values in order; repeats until the broker has taken each."""
        for key, value in values.items():
            await self._send(partition, _prefix(partition) + key, value)
            self._table.data[_prefix(partition) + key] = value
        self._durable[partition] = next_offset

    async def _send(self, partition: int, key: bytes, value: bytes | None) -> None:
        attempt = 0
        while True:
            try:
                await self._table.send_changelog(partition, key, value)
                return
            except Exception as exc:  # noqa: BLE001 - whatever the client raised, nothing is acknowledged before it is stored
                attempt += 1
                metrics.RETRIES.labels("changelog").inc()
                log.warning("changelog-write-failed", partition=partition, attempt=attempt, reason=repr(exc))
                await asyncio.sleep(min(MAX_WAIT_SECONDS, 0.2 * 2**attempt))


def _prefix(partition: int) -> bytes:
    return b"%d/" % partition
