"""Whether it pays that driftloop's own producers compress: bytes on the broker, and CPU at both ends, with and without."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from bench.clocks import BenchError, cpu_seconds, spending
from bench.figures import Figure, Limit
from bench.fills import Fill, fills
from bench.inference_messages import ROWS_PER_MESSAGE
from bench.surroundings import Surroundings
from driftloop.adapters.kafka import Producer, create_topics, stream_topic
from driftloop.contracts.topics import stream_topics

ROWS = 100_000
PARTITIONS = 4

Compression = Literal["zstd"] | None
WAYS: tuple[Compression, ...] = (None, "zstd")


class Cost(NamedTuple):
    """Per row: bytes in the topic's files; seconds of CPU of producer and broker; the same of a consumer."""

    stored: float
    writing: float
    reading: float


def measure(around: Surroundings) -> list[Figure]:
    """The flights as rows that applications send, and as messages that the predictor writes; each way in turn, in one run."""
    send_lines, send_messages = fills(around.flights, "bench-compression", ROWS, PARTITIONS)

    kinds: list[tuple[int, str, Fill, str]] = [
        (0, "requests", send_lines, "JSON rows, to a topic that keeps them uncompressed"),
        (1, "inferences", send_messages, f"Arrow messages of {ROWS_PER_MESSAGE:,} rows"),
    ]
    figures: list[Figure] = []
    for which, name, fill, what in kinds:
        around.say(f"{ROWS:,} rows of {name}, compressed and not")
        costs = {way: _cost(around, f"bench-{way or 'plain'}", which, fill, way) for way in WAYS}
        figures += _figures(name, what, costs["zstd"], costs[None])
    return figures


def _cost(around: Surroundings, stream: str, which: int, fill: Fill, compression: Compression) -> Cost:
    bootstrap, topic = around.addresses.kafka_bootstrap, stream_topics(stream)[which]
    create_topics(bootstrap, [topic])
    broker = around.addresses.pids["kafka"]
    with closing(Producer(bootstrap, client_id="bench", compression=compression)) as producer:
        before = cpu_seconds(broker)
        with spending() as spent:
            fill(producer, topic.name)
        writing = spent().cpu + cpu_seconds(broker) - before
    with spending() as spent:
        n = sum(1 for _ in stream_topic(bootstrap, topic.name))
    files = (Path(around.addresses.home) / "kafka" / "data").glob(f"{topic.name}-*/*.log")
    stored = sum(file.stat().st_size for file in files)
    if not n or not stored:
        raise BenchError(f"{topic.name} holds {n} messages in {stored} bytes")
    return Cost(stored / ROWS, writing / ROWS, spent().cpu / ROWS)


def _figures(name: str, what: str, zstd: Cost, plain: Cost) -> Iterator[Figure]:
    for part, unit, scale in (("stored", "bytes/row", 1.0), ("writing", "us CPU/row", 1e6), ("reading", "us CPU/row", 1e6)):
        yield Figure(
            name=f"{name}-{part}",
            what=f"{what}: zstd",
            value=scale * getattr(zstd, part),
            unit=unit,
            limit=Limit("uncompressed", scale * getattr(plain, part)),
        )
