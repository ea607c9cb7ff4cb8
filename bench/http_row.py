"""One row by HTTP: what the caller waits for, beside a bare echo and the model."""

import http.client
import statistics
import time
from collections.abc import Callable
from contextlib import closing

import msgspec
from threadpoolctl import threadpool_limits

from bench.clocks import BenchError
from bench.figures import Aim, Figure, Limit
from bench.flights import as_json_rows
from bench.predictor import registered_flights
from bench.surroundings import Service, Surroundings
from driftloop.artifact.scoring import to_frame

ROUNDS = 20
CALLS = 60  # of each kind in a round: taking turns, both meet the same noise
WARM_CALLS = 200


def measure(around: Surroundings) -> list[Figure]:
    """One caller on one kept connection; medians over all rounds."""
    row = msgspec.json.decode(as_json_rows(around.flights.rows.slice(0, 1))[0])
    body = msgspec.json.encode({"dataframe_records": [row]})
    name = "bench-http"
    model = around.flights
    frame = to_frame(model.rows.slice(0, 1), model.project.schema)
    with registered_flights(around, name), around.echo() as echo, around.service("predictor", name) as predictor:
        around.say("calling POST /invocations and an echo in turns")
        times: dict[str, list[float]] = {"invocations": [], "echo": [], "model": []}
        with threadpool_limits(1):
            for service, path in ((predictor, "/invocations"), (echo, "/")):
                post(service, path, body, WARM_CALLS)
            for _ in range(ROUNDS):
                times["invocations"] += post(predictor, "/invocations", body, CALLS)
                times["echo"] += post(echo, "/", body, CALLS)
                times["model"] += _timed(lambda: model.scorer.pipeline.predict_proba(frame), CALLS)
    p50 = {kind: 1000 * statistics.median(found) for kind, found in times.items()}
    p99 = 1000 * statistics.quantiles(times["invocations"], n=100)[98]
    return [
        Figure(
            name="http-one-row",
            what=f"p50 of {ROUNDS * CALLS:,} calls of POST /invocations with one row, one caller, kept connection",
            value=p50["invocations"],
            unit="ms",
            limit=Limit(
                "p50 of a bare ASGI echo on the same server, plus p50 of the model's own predict_proba", p50["echo"] + p50["model"]
            ),
            aim=Aim(3.0, "at most", of="ratio"),
            note=f"echo {p50['echo']:.3f} ms, model {p50['model']:.3f} ms; p99 of the calls {p99:.2f} ms",
        )
    ]


def post(service: Service, path: str, body: bytes, n: int) -> list[float]:
    """Times of calls on one connection, a new one each round: the server closes those that were idle for a few seconds."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:  # little of its own, the same for both

        def call() -> None:
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise BenchError(f"{service.url}{path} answers {answer.status}: {data[:300]!r}")

        call()  # connecting is not the row's time
        return _timed(call, n)


def _timed(call: Callable[[], object], n: int) -> list[float]:
    found = []
    for _ in range(n):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found
