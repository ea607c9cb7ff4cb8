"""What a challenger costs the champion: rows/s of a backlog, and p99 of paced traffic, with and without one by turns in one run."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.clocks import PATIENCE_SECONDS, BenchError
from bench.figures import Aim, Figure, Limit
from bench.flights import as_json_rows
from bench.http_row import post
from bench.predictor import HEADERS, PARTITIONS, offsets_done, registered_flights
from bench.registering import Registered
from bench.surroundings import Service, Surroundings
from driftloop.adapters.kafka import read_topic
from driftloop.contracts.headers import request_range
from driftloop.contracts.topics import inferences, requests
from driftloop.ports import MessageProducer

ROUNDS = 3  # of each kind: taking turns, both meet the same noise
BACKLOG = 40_000  # rows
PACED_SECONDS, PACED_ROWS = 10.0, 1_000  # rows a second
CALLS = 400  # of POST /invocations while the paced rows go


class Round(NamedTuple):
    per_second: float  # rows of the backlog, wall time
    per_cpu_second: float  # of the predictor's
    p99_ms: float  # of paced rows: from the broker's time of the request to that of its inference
    http_p99_ms: float


def measure(around: Surroundings) -> list[Figure]:
    """Predictor and ingest run all the time; the challenger's process lives in every second round."""
    name = "bench-shadow"
    values = as_json_rows(around.flights.rows.slice(0, BACKLOG))
    found: dict[bool, list[Round]] = {False: [], True: []}
    with registered_flights(around, name) as made:
        made.add_version(around.flights.skops, around.flights.profile)
        with around.service("ingest", name) as ingest, around.service("predictor", name) as predictor, around.producer() as producer:
            traffic = _Traffic(producer, predictor, name, values)
            traffic.backlog()  # imports, first connections
            for beside in [False, True] * ROUNDS:
                around.say(f"a round {'beside a challenger' if beside else 'without one'}")
                with _challenger(made, ingest) if beside else _nobody():
                    spent, per_second = predictor.cpu(), traffic.backlog()
                    per_cpu_second = BACKLOG / (predictor.cpu() - spent)
                    since = traffic.sent
                    http = traffic.paced(predictor)
                    found[beside].append(Round(per_second, per_cpu_second, _p99_ms(around, name, since), http))
    alone, both = (Round(*map(statistics.median, zip(*found[beside], strict=True))) for beside in (False, True))
    what = f"medians of {ROUNDS} rounds each, by turns; flights model twice, ingest and predictor on one machine"
    note = f"{both.per_second:,.0f} rows/s beside a challenger, {alone.per_second:,.0f} without"
    limit = "the same without a challenger, in the same run"
    return [
        Figure(
            name="shadow-rows",
            what=f"champion's rows/s of wall time, {BACKLOG:,} JSON requests waiting; {what}",
            value=both.per_second,
            unit="rows/s",
            limit=Limit(limit, alone.per_second),
            aim=Aim(0.9, "at least", of="ratio"),
            note=note,
        ),
        Figure(
            name="shadow-rows-per-core",
            what=f"champion's rows per second of the predictor's CPU time, of the same backlog; {what}",
            value=both.per_cpu_second,
            unit="rows/s per core",
            limit=Limit(limit, alone.per_cpu_second),
            aim=Aim(0.9, "at least", of="ratio"),
        ),
        Figure(
            name="shadow-p99",
            what=f"p99 from a request in Kafka to its inference in Kafka at {PACED_ROWS:,} rows/s; {what}",
            value=both.p99_ms,
            unit="ms",
            limit=Limit(limit, alone.p99_ms),
            aim=Aim(1.1, "at most", of="ratio"),
        ),
        Figure(
            name="shadow-http-p99",
            what=f"p99 of POST /invocations with one row, one caller, beside those rows; {what}",
            value=both.http_p99_ms,
            unit="ms",
            limit=Limit(limit, alone.http_p99_ms),
            aim=Aim(1.1, "at most", of="ratio"),
        ),
    ]


class _Traffic:
    def __init__(self, producer: MessageProducer, predictor: Service, name: str, values: list[bytes]) -> None:
        self._producer, self._predictor, self._topic, self._values = producer, predictor, requests(name), values
        self.sent = 0

    def backlog(self) -> float:
        """Rows per second of wall time, of what is sent as fast as can be."""
        began = time.monotonic()
        self._send(self._values)
        deadline = began + PATIENCE_SECONDS
        while offsets_done(self._predictor) < self.sent:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.sent - offsets_done(self._predictor)} requests are not scored after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.05)
        return len(self._values) / (time.monotonic() - began)

    def paced(self, predictor: Service) -> float:
        """Rows in small portions, and calls between them; the p99 of these in ms."""
        began, times = time.monotonic(), list[float]()
        portions = int(PACED_SECONDS * 20)
        for n in range(portions):
            self._send(self._values[: PACED_ROWS // 20])
            times += post(predictor, "/invocations", b'{"dataframe_records": [' + self._values[0] + b"]}", CALLS // portions)
            time.sleep(max(0.0, began + (n + 1) / 20 - time.monotonic()))
        while offsets_done(self._predictor) < self.sent:
            time.sleep(0.05)
        return 1000 * statistics.quantiles(times, n=100)[98]

    def _send(self, values: list[bytes]) -> None:
        for partition, value in zip(itertools.cycle(range(PARTITIONS)), values, strict=False):
            self._producer.send(self._topic, value, partition=partition, headers=HEADERS)
        self._producer.flush()
        self.sent += len(values)


def _p99_ms(around: Surroundings, name: str, since: int) -> float:
    """Of the requests that were sent after the first ``since``; both times are the broker's."""
    bootstrap = around.addresses.kafka_bootstrap
    asked = {(r.partition, r.offset): r.timestamp_ms for r in read_topic(bootstrap, requests(name))}
    times: list[float] = []
    for record in read_topic(bootstrap, inferences(name)):
        claimed = request_range(record.headers)
        if claimed is not None and claimed.start >= since // PARTITIONS:
            times += [record.timestamp_ms - asked[claimed.partition, n] for n in range(claimed.start, claimed.end)]
    return float(statistics.quantiles(times, n=100)[98])


@contextmanager
def _challenger(made: Registered, ingest: Service) -> Iterator[None]:
    """Version 2; how far behind it is at the end of the block is its own affair."""
    made.point("challenger", 2)
    _wait(lambda: _told(ingest).get("pid") is not None, "a process for the challenger")
    _wait(lambda: _told(ingest).get("version") == 2 or _told(ingest).get("lag_seconds") == 0, "the challenger to be ready")
    time.sleep(5.0)  # imports; it joins its group
    yield
    _wait(lambda: _told(ingest).get("rows", 0) > 0, "the challenger to have answered")
    made.point("challenger", 1)
    _wait(lambda: not _told(ingest), "the challenger to be gone")


@contextmanager
def _nobody() -> Iterator[None]:
    yield


def _told(ingest: Service) -> dict[str, float]:
    return dict(ingest.status().get("shadow") or {})


def _wait(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {PATIENCE_SECONDS:.0f} s for {what}")
        time.sleep(0.2)
