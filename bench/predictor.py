"""The predictor's stream side: JSON requests to Arrow inferences with the flights model."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from threadpoolctl import threadpool_limits

from bench.clocks import rates, repeated, watch
from bench.figures import Aim, Figure, Limit
from bench.flights import as_json_rows, flights_project
from bench.registering import Registered
from bench.surroundings import Service, Surroundings
from driftloop.artifact.scoring import to_frame
from driftloop.contracts.headers import CONTENT_TYPE, JSON
from driftloop.contracts.topics import requests

ROWS = 160_000
BATCH = 1_000
PARTITIONS = 4
LIMIT_ROWS = 20_000
HEADERS = ((CONTENT_TYPE, JSON.encode()),)


@contextmanager
def registered_flights(around: Surroundings, name: str) -> Iterator[Registered]:
    """The flights project with one version, champion."""
    with around.producer() as producer:
        made = Registered(around, producer, flights_project(name))
        made.add_version(around.flights.skops, around.flights.profile)
        made.promote(1)
        yield made


def measure(around: Surroundings) -> list[Figure]:
    """The backlog is there before the process starts, so that it is never short of work."""
    name = "bench-predictor"
    values = as_json_rows(around.flights.rows.slice(0, ROWS))
    with registered_flights(around, name):
        _send(around, requests(name), values)
    around.say("working the requests off")
    with around.service("predictor", name) as service:
        found = rates(watch(service.pid, lambda: offsets_done(service), ROWS))
    around.say("limits: predict_proba alone, JSON decoding alone")
    scoring, decoding = _predict_alone(around), _decode_alone(values[:LIMIT_ROWS])
    iterations = around.flights.scorer.pipeline[-1].n_iter_
    what = f"{ROWS:,} JSON requests in Kafka to Arrow inferences in Kafka, flights model ({iterations} trees)"
    figures = [
        ("predictor", Limit(f"predict_proba alone on the same rows, {BATCH:,} at a time, one thread", scoring)),
        ("predictor", Limit("msgspec.json.decode alone on the same messages", decoding)),
        ("predictor", Limit("both, one after the other", 1 / (1 / scoring + 1 / decoding))),
    ]
    note = f"{found.per_second:,.0f} rows/s of wall time on this machine at this moment"
    return [
        Figure(name=n, what=what, value=found.per_cpu_second, unit="rows/s per core", limit=limit, aim=Aim(40_000, "at least"), note=note)
        for n, limit in figures
    ]


def offsets_done(service: Service) -> int:
    """How many requests are accounted for in ``inferences``."""
    partitions: dict[str, int] = service.status()["partitions"]
    return sum(partitions.values())


def _send(around: Surroundings, topic: str, values: list[bytes]) -> None:
    around.say(f"sending {len(values):,} requests")
    with around.producer() as producer:
        for partition, value in zip(itertools.cycle(range(PARTITIONS)), values, strict=False):
            producer.send(topic, value, partition=partition, headers=HEADERS)
        producer.flush()


def _predict_alone(around: Surroundings) -> float:
    model = around.flights
    frames = [to_frame(model.rows.slice(at, BATCH), model.project.schema) for at in range(0, LIMIT_ROWS, BATCH)]
    predict: Any = model.scorer.pipeline.predict_proba
    with threadpool_limits(1):  # as the predictor's process is told to
        return repeated(lambda: [predict(frame) for frame in frames], LIMIT_ROWS)


def _decode_alone(values: list[bytes]) -> float:
    return repeated(lambda: [msgspec.json.decode(value) for value in values], len(values), seconds=1.0)
