"""Servers that strangers can reach: slow ones are hung up on, many do not keep others out, and bodies have bounds."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.support.strangers import FOREIGN, all_hung_up, connections, still_held
from tests.support.waiting import wait_until

from driftloop.service import bounded_bodies, bounded_calls, bounded_connections, bounded_health
from driftloop.service.bounded_bodies import BoundedBodies
from driftloop.service.health import Waiting
from driftloop.service.health_server import HealthServer
from driftloop.service.http_server import HttpServer

MAX_BODY = 100_000


class AtWork:
    def ready(self):
        return True, {}

    def status(self):
        return {"at": "work"}


class Served:
    """A server that echoes the size of a body, and holds calls to /hold until it is let go."""

    def __init__(self):
        self.go, self.holding = threading.Event(), 0

        async def echo(request: Request) -> Response:
            return JSONResponse({"bytes": len(await request.body())})

        async def hold(_: Request) -> Response:
            self.holding += 1
            while not self.go.is_set():
                await asyncio.sleep(0.01)
            return JSONResponse({})

        async def healthz(_: Request) -> Response:
            return JSONResponse({})

        routes = [Route("/healthz", healthz), Route("/echo", echo, methods=["GET", "POST"]), Route("/hold", hold, methods=["GET", "POST"])]
        self.server = HttpServer(BoundedBodies(Starlette(routes=routes), MAX_BODY), "127.0.0.1", 0, setting="PORT").start()
        self.port = self.server.port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)


@pytest.fixture
def served():
    made = Served()
    yield made
    made.go.set()
    made.client.close()
    made.server.stop()


@pytest.fixture
def health():
    server = HealthServer("127.0.0.1", 0, AtWork(), setting="PORT").start()
    yield server
    server.stop()


def test_half_a_request_is_hung_up_on_and_a_whole_one_is_answered_meanwhile(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "HEAD_SECONDS", 0.5)
    with connections(served.port, 50) as held:
        assert served.client.get("/echo").json() == {"bytes": 0}
        all_hung_up(held)
    assert served.client.get("/echo").status_code == 200


def test_connection_that_says_nothing_is_hung_up_on(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "HEAD_SECONDS", 0.5)
    with connections(served.port, 5, sending=b"") as held:
        all_hung_up(held)


def test_half_of_a_second_request_is_hung_up_on(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "HEAD_SECONDS", 0.5)
    whole = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connections(served.port, 1, sending=whole) as held:
        held[0].settimeout(10)
        assert b"200 OK" in held[0].recv(4096)
        held[0].sendall(b"GET /echo HT")
        all_hung_up(held)


def test_answer_that_nobody_takes_or_that_never_comes_ends_the_connection(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "ANSWER_SECONDS", 0.5)
    with connections(served.port, 3, sending=b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n") as held:
        wait_until(lambda: served.holding == 3, "three calls in hand")
        all_hung_up(held)


def test_long_answer_is_not_broken_off_by_the_time_for_a_request(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "HEAD_SECONDS", 0.3)
    threading.Timer(1.0, served.go.set).start()

    assert served.client.get("/hold").status_code == 200


def test_new_connections_take_the_places_of_those_without_a_request(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "MAX_CONNECTIONS", 20)
    with connections(served.port, 200) as held:
        for _ in range(10):
            assert httpx.get(f"http://127.0.0.1:{served.port}/echo", timeout=20).status_code == 200
        wait_until(lambda: still_held(held) <= 20, "all but twenty connections to be closed")


def test_call_in_hand_is_not_given_up_for_a_new_connection(served, monkeypatch):
    monkeypatch.setattr(bounded_connections, "MAX_CONNECTIONS", 3)
    with connections(served.port, 3, sending=b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n") as held:
        wait_until(lambda: served.holding == 3, "three calls in hand")
        with socket.create_connection(("127.0.0.1", served.port), 5) as late:
            assert late.makefile("rb").read().startswith(b"HTTP/1.1 503")
        assert still_held(held) == 3


def test_calls_in_hand_have_a_bound_and_health_is_told_beyond_it(served, monkeypatch):
    monkeypatch.setattr(bounded_calls, "MAX_CALLS", 3)
    with connections(served.port, 3, sending=b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n") as held:
        wait_until(lambda: served.holding == 3, "three calls in hand")
        refused = httpx.post(f"http://127.0.0.1:{served.port}/echo", content=b"x" * 70_000, timeout=20)
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert int(refused.headers["retry-after"]) > 0
        assert served.client.get("/healthz").status_code == 200
        assert still_held(held) == 3
        served.go.set()
    wait_until(lambda: served.client.get("/echo").status_code == 200, "room for another call")


def test_body_that_does_not_come_is_408(served, monkeypatch):
    monkeypatch.setattr(bounded_bodies, "BODY_SECONDS", 0.3)
    with connections(served.port, 1, sending=b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123") as (held,):
        held.settimeout(10)
        answer = held.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"has not come within" in answer


@pytest.mark.parametrize("announced", [True, False])
def test_body_that_is_too_large_is_413(served, announced):
    body = b"x" * (MAX_BODY + 1)
    assert served.client.post("/echo", content=body if announced else iter([body])).status_code == 413
    assert served.client.post("/echo", content=b"x" * MAX_BODY).json() == {"bytes": MAX_BODY}


def test_a_body_that_is_announced_as_too_large_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(bounded_bodies, "BODY_SECONDS", 600.0)
    with connections(served.port, 1, sending=b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n123") as (held,):
        held.settimeout(20)
        assert held.makefile("rb").read().startswith(b"HTTP/1.1 413")


def test_bodies_of_all_calls_together_have_a_bound_and_are_given_back(served, monkeypatch):
    monkeypatch.setattr(bounded_bodies, "MAX_BYTES_IN_HAND", 150_000)
    with ExitStack() as calls:
        held = [threading.Thread(target=served.client.post, args=("/hold",), kwargs={"content": b"x" * 70_000}) for _ in range(2)]
        for thread in held:
            thread.start()
            calls.callback(thread.join)
        wait_until(lambda: served.holding == 2, "two calls in hand")
        refused = served.client.post("/echo", content=b"x" * 70_000)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert served.client.post("/echo", content=b"x" * 1000).status_code == 200
        served.go.set()
    assert served.client.post("/echo", content=b"x" * 70_000).status_code == 200


def test_bytes_of_a_caller_who_goes_away_are_given_back(served, monkeypatch):
    monkeypatch.setattr(bounded_bodies, "MAX_BYTES_IN_HAND", 150_000)
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n"
    for _ in range(5):
        with connections(served.port, 1, sending=head + b"x" * 80_000):
            time.sleep(0.1)
    wait_until(lambda: served.client.post("/echo", content=b"x" * 90_000).status_code == 200, "room for another body")


def test_health_hangs_up_on_the_slow_and_on_the_oldest_of_too_many(health, monkeypatch):
    monkeypatch.setattr(bounded_health, "CONNECTION_SECONDS", 1.0)
    monkeypatch.setattr(bounded_health, "MAX_CONNECTIONS", 20)
    threads = threading.active_count()
    with connections(health.port, 200) as held:
        for path in ("/healthz", "/readyz", "/status", "/metrics"):
            assert httpx.get(f"http://127.0.0.1:{health.port}{path}", timeout=20).status_code == 200
        assert threading.active_count() < threads + 60
        all_hung_up(held)
    wait_until(lambda: threading.active_count() <= threads + 2, "the connections' threads to end")


def test_health_gives_the_place_of_the_oldest_connection_to_a_new_one(health, monkeypatch):
    monkeypatch.setattr(bounded_health, "CONNECTION_SECONDS", 600.0)
    monkeypatch.setattr(bounded_health, "MAX_CONNECTIONS", 20)
    with connections(health.port, 100) as held:
        assert httpx.get(f"http://127.0.0.1:{health.port}/healthz", timeout=20).status_code == 200
        wait_until(lambda: still_held(held) <= 20, "all but twenty connections to be closed")


def test_health_is_told_to_nobody_who_calls_it_by_another_name(health):
    base = f"http://127.0.0.1:{health.port}"

    assert httpx.get(f"{base}/status", headers=FOREIGN).status_code == 421
    assert httpx.get(f"{base}/status").json() == {"at": "work", "followers": {}}
    assert httpx.post(f"{base}/status", headers={"Origin": "http://evil.example"}).status_code == 403


def refusals() -> dict[str, float]:
    samples = (sample for family in REGISTRY.collect() for sample in family.samples if sample.name == "driftloop_refused_calls_total")
    return {sample.labels["status"]: sample.value for sample in samples}


def test_what_a_service_refuses_is_counted_by_status_alone(served, health):
    before = refusals()
    served.client.get("/nowhere-at-all")
    served.client.get("/healthz", headers=FOREIGN)
    served.client.post("/echo", content=b"x")
    served.client.get("/healthz")
    httpx.get(f"http://127.0.0.1:{health.port}/nowhere")
    httpx.get(f"http://127.0.0.1:{health.port}/readyz")
    grown = {status: count - before.get(status, 0) for status, count in refusals().items()}
    assert {status: count for status, count in grown.items() if count} == {"404": 2, "421": 1}


def test_that_a_service_is_not_ready_is_no_refusal():
    before = refusals().get("503", 0)
    with_reason = HealthServer("127.0.0.1", 0, Waiting("i", "waiting"), setting="PORT").start()
    try:
        assert httpx.get(f"http://127.0.0.1:{with_reason.port}/readyz").status_code == 503
        assert refusals().get("503", 0) == before
    finally:
        with_reason.stop()
