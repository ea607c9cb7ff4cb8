"""From the alias moved in the log to the first prediction by the new version, under load."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.clocks import BenchError, Spent, spending
from bench.figures import Aim, Figure, Limit
from bench.flights import as_json_rows, flights_project
from bench.predictor import HEADERS, PARTITIONS
from bench.registering import Registered
from bench.surroundings import Surroundings
from driftloop.adapters.kafka import AssignedConsumer, Producer
from driftloop.artifact.model_files import load_model
from driftloop.contracts.topics import inferences, requests
from driftloop.ports import TopicPartition
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.schemas import inference_schema

PROMOTIONS = 5
ROWS_PER_SECOND = 2_000
BURST_SECONDS = 0.05
PATIENCE_SECONDS = 30.0


def measure(around: Surroundings) -> list[Figure]:
    """Each promotion is of a version that this process has never loaded."""
    name = "bench-promotion"
    project = flights_project(name)
    values = as_json_rows(around.flights.rows.slice(0, 20_000))
    with around.producer() as producer:
        registered = Registered(around, producer, project)
        manifests = [registered.add_version(around.flights.skops, around.flights.profile) for _ in range(PROMOTIONS + 1)]
        registered.promote(1)
        with around.service("predictor", name), around.producer() as loading, _load(loading, requests(name), values):
            took = _promotions(around, registered)
    loads = [_load_alone(around, registered, manifest) for manifest in manifests[1:4]]
    alone, cpu = (statistics.median(found) for found in zip(*[(spent.wall, spent.cpu) for spent in loads], strict=True))
    return [
        Figure(
            name="promotion",
            what=f"alias moved in the log to the first inference by the new version, {ROWS_PER_SECOND:,} rows/s, median of {PROMOTIONS}",
            value=statistics.median(took),
            unit="s",
            limit=Limit(
                "fetching, verifying and loading that model alone, in a process without load",
                alone,
            ),
            aim=Aim(1.0, "at most"),
            note=f"all: {', '.join(f'{seconds:.2f}' for seconds in took)}; loading alone takes {cpu:.2f} CPU seconds",
        )
    ]


def _promotions(around: Surroundings, registered: Registered) -> list[float]:
    found = []
    with _Scored(around, registered) as scored:
        scored.wait_for_version(1)
        for version in range(2, PROMOTIONS + 2):
            around.say(f"promoting version {version} under {ROWS_PER_SECOND:,} rows/s")
            began = time.monotonic()  # before the command is in the log: the broker's share counts too
            registered.promote(version)
            scored.wait_for_version(version)
            found.append(time.monotonic() - began)
    return found


@contextmanager
def _load(producer: Producer, topic: str, values: list[bytes]) -> Iterator[None]:
    """A steady stream of requests while the block runs."""
    stop = threading.Event()
    burst = int(ROWS_PER_SECOND * BURST_SECONDS)

    def send() -> None:
        at, due = 0, time.monotonic()
        while not stop.is_set():
            for i in range(at, at + burst):
                producer.send(topic, values[i % len(values)], partition=i % PARTITIONS, headers=HEADERS)
            at, due = at + burst, due + BURST_SECONDS
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=send, name="load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Scored:
    """Reads ``inferences`` from now on."""

    def __init__(self, around: Surroundings, registered: Registered) -> None:
        self._schema = inference_schema(registered.project.schema)
        tps = [TopicPartition(inferences(registered.project.stream), partition) for partition in range(PARTITIONS)]
        self._consumer = AssignedConsumer(around.addresses.kafka_bootstrap, tps, client_id="bench-scored")
        for tp, end in self._consumer.end_offsets(tps).items():
            self._consumer.seek(tp, end)

    def wait_for_version(self, version: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for records in self._consumer.poll(0.02).values():
                for record in records:
                    if version in decode_table(record.value, self._schema).column("model_version").unique().to_pylist():
                        return
            if time.monotonic() > deadline:
                raise BenchError(f"no inference by version {version} within {PATIENCE_SECONDS:.0f} s of its promotion")

    def __enter__(self) -> "_Scored":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _load_alone(around: Surroundings, registered: Registered, manifest: str) -> Spent:
    project = registered.project
    with spending() as spent:
        model = load_model(around.store, project.model, manifest, project.schema, project.training.trusted_types)
        model.scorer.score(around.flights.rows.slice(0, 1))
    return spent()
