"""What the monitor's tables write: bytes a sketch by partitions and features, bytes a flush by open windows, the largest value."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from bench.a_year_events import MODEL, START, window
from driftloop.contracts.events import WindowSketched
from driftloop.contracts.values import PartitionSketch
from driftloop.monitoring.assembled_window import WindowSummary
from driftloop.monitoring.assembly import COUNTED_WINDOWS, WindowAssembler
from driftloop.monitoring.open_window import OpenWindow
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, window_key
from driftloop_monitor.faust_support.durable_table import DurableTable

BINS = 20  # counts of a column
DIGEST = "a" * 64
TOPIC = "0Yk2x9cZTnOqm7VbLw3s5A"  # as long as a topic's id is
FLUSHES = 50


class Sent(NamedTuple):
    """Bytes of keys and values per write, and of the largest value."""

    bytes: float
    largest: int


class _Changelog:
    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.bytes = self.largest = 0

    async def send_changelog(self, partition: int | None, key: Any, value: Any) -> None:
        self.bytes += len(key) + len(value or b"")
        self.largest = max(self.largest, len(value or b""))


def of_a_sketch(partitions: int, features: int) -> Sent:
    """While windows are put together, reported and forgotten; after as many as their counts are kept for."""
    return asyncio.run(_of_a_sketch(partitions, features))


async def _of_a_sketch(partitions: int, features: int) -> Sent:
    changelog = _Changelog()
    values = DurableTable(changelog, lambda values: None).open(0)
    assembler = WindowAssembler(MODEL, values.found, TOPIC)
    counts = {f"feature_{n}": [(7 * n + 31 * at) % 500 for at in range(BINS)] for n in range(features)}
    parts = (PartitionSketch(version=1, profile=DIGEST, rows=1000, counts=counts),)
    offset, begun = itertools.count(1), 0
    for n in range(COUNTED_WINDOWS + 3):
        if n == COUNTED_WINDOWS + 1:  # as from now on
            begun = changelog.bytes
        for partition in range(partitions):
            sketch = WindowSketched(
                stream=MODEL, window=window(n), partition=partition, partitions=partitions, closing_offset=n + 1, topic_id=TOPIC,
                rows=1000, late_rows=0, sketches=parts,
            )  # fmt: skip
            assembler.add(sketch)
            for held in list(assembler.to_report(sketch)):
                offsets = {str(p): n + 1 for p in range(partitions)}
                held.summary = WindowSummary(1, 1000, False, "feature_0", 0.1, 0.25, offsets, dict.fromkeys(offsets, TOPIC))
                held.revision = 0
                assembler._window_changed(held.window)
                assembler._forget()
            next_offset = next(offset)
            await values.write(assembler.changes(next_offset), next_offset)
    return Sent((changelog.bytes - begun) / (2 * partitions), changelog.largest)


def of_a_flush(windows: int, features: int) -> Sent:
    """Of one partition with so many open windows, one of which has got rows."""
    return asyncio.run(_of_a_flush(windows, features))


async def _of_a_flush(windows: int, features: int) -> Sent:
    changelog = _Changelog()
    values = DurableTable(changelog, lambda values: None).open(0)
    counts = {f"feature_{n}": np.arange(BINS) + n % 300 for n in range(features)}
    held = OpenWindow()
    held.add(1000, late=False, version=1, counted=(DIGEST, counts))
    state = PartitionState(topic_id=TOPIC, requests={TOPIC: 0}, watermark=START, closed_up_to=START + timedelta(minutes=1))
    everything = {window_key(window(n)): held.encode(window(n)) for n in range(windows)}
    await values.write({**everything, STATE_KEY: state.encode()}, 0)
    begun = changelog.bytes
    for n in range(FLUSHES):
        key, value = window_key(window(windows - 1)), held.encode(window(windows - 1))
        state.next_offset = n + 1
        await values.write({key: value, STATE_KEY: state.encode()}, n + 1)
    return Sent((changelog.bytes - begun) / FLUSHES, changelog.largest)
