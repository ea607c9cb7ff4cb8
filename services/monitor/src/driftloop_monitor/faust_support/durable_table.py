"""A faust table written from outside a stream's iteration: each write returns once the changelog holds it.

What a write holds is there as a whole or not at all, and no writer of before can change it: see ``written_values``.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from driftloop import metrics
from driftloop.contracts.topics import MIB
from driftloop.errors import TransientError
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.written_values import Writer, read

log = get_logger(__name__)
MAX_WAIT_SECONDS = 5.0
MAX_VALUE_BYTES = 8 * MIB - 64 * 1024  # of the changelog's message, less room for key and framing
AT_ONCE = 100  # values on their way


class Table(Protocol):
    """What is used of ``faust.Table``."""

    data: Any

    def send_changelog(self, partition: int | None, key: Any, value: Any) -> Awaitable[Any]:
        """Send a value, None to delete it, to the table's changelog; awaited, the broker holds it."""


class DurableTable:
    """``next_offset`` reads a source offset out of a partition's values; it bounds what may be committed to Kafka."""

    def __init__(self, table: Table, next_offset: Callable[[Mapping[bytes, bytes]], int | None], *, name: str = "table") -> None:
        self._table, self._next_offset, self.name = table, next_offset, name
        self._durable: dict[int, int] = {}
        self._placed: dict[int, int] = {}
        self.not_stored: dict[str, int] = {}  # values too large for the changelog, with their bytes

    def values(self, partition: int) -> dict[bytes, bytes]:
        """The values of one partition, as recovered or written by this worker."""
        return read(self._stored(partition)).values

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

    def open(self, partition: int) -> "PartitionValues":
        """The values of one partition to go on from; for one writer."""
        return PartitionValues(self, partition)

    def _stored(self, partition: int) -> dict[bytes, bytes]:
        prefix = b"%d/" % partition
        return {key[len(prefix) :]: value for key, value in self._table.data.items() if key.startswith(prefix) and value is not None}

    def _written(self, partition: int, next_offset: int) -> None:
        self._durable[partition] = next_offset

    async def _send(self, partition: int, key: bytes, value: bytes | None) -> None:
        attempt, whole = 0, b"%d/" % partition + key
        while True:
            try:
                await self._table.send_changelog(partition, whole, value)
                break
            except Exception as exc:  # noqa: BLE001 - whatever the client raised, nothing is acknowledged before it is stored
                attempt += 1
                metrics.RETRIES.labels("changelog").inc()
                log.warning("changelog-write-failed", partition=partition, attempt=attempt, reason=repr(exc))
                await asyncio.sleep(min(MAX_WAIT_SECONDS, 0.2 * 2**attempt))
        if value is None:
            self._table.data.pop(whole, None)
        else:
            self._table.data[whole] = value

    def _refuse(self, partition: int, key: bytes, size: int) -> None:
        """No repeat can store it: it is told, and whoever starts from these values starts without it."""
        where = f"{partition}/{key.decode(errors='replace')}"
        log.error("value-too-large", table=self.name, value=where, bytes=size, at_most=MAX_VALUE_BYTES)
        metrics.VALUES_TOO_LARGE.labels(self.name).inc()
        self.not_stored[where] = size


class PartitionValues:
    """What one writer found in a partition, and writes there from then on. One write at a time."""

    def __init__(self, table: DurableTable, partition: int) -> None:
        self._table, self.partition, self.placed = table, partition, table.placed(partition)
        found = read(table._stored(partition))
        self.found = found.values
        self._writer = Writer(found, secrets.token_hex(4))
        self._broken_off = False

    async def write(self, changes: Mapping[bytes, bytes | None], next_offset: int) -> None:
        """Store changes, None to delete a value, all of them or none; repeats until the broker has taken them.

        The first write stores again what was found, under this writer's keys, and clears what others wrote. A value too large
        for the changelog is deleted instead, and told. Raises TransientError after a write that was cancelled.
        """
        table, partition = self._table, self.partition
        fitting = dict(changes)
        for key, value in changes.items():
            if value is not None and len(value) > MAX_VALUE_BYTES:
                table._refuse(partition, key, len(value))
                fitting[key] = None
        if self._broken_off:
            raise TransientError(f"a write to partition {partition} of {table.name} was broken off; a new start goes on from before it")
        self._broken_off = True
        batch = self._writer.batch(fitting, next_offset)
        await self._send_all(batch.values.items())
        await table._send(partition, *batch.commit)
        table._written(partition, next_offset)
        await self._send_all((key, None) for key in batch.others)
        for key in batch.own:
            await table._send(partition, key, None)
        self._broken_off = False

    async def _send_all(self, values: Iterable[tuple[bytes, bytes | None]]) -> None:
        waiting = list(values)
        for start in range(0, len(waiting), AT_ONCE):
            await asyncio.gather(*(self._table._send(self.partition, key, value) for key, value in waiting[start : start + AT_ONCE]))
