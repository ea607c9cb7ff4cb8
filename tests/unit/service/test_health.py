"""Health over HTTP: the same answers from both servers, the port named when it is taken."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from driftloop import metrics
from driftloop.contracts.services import Service
from driftloop.errors import ConfigurationError
from driftloop.service.health import Health, Waiting
from driftloop.service.health_server import health_server
from driftloop.service.http_server import serving
from driftloop.service.settings import ServiceSettings
from driftloop.service.start import Server

SERVICE = Service(name="probed", port_offset=60)
SERVERS: dict[str, Callable[[ServiceSettings, Health], Server]] = {
    "health alone": health_server,
    "beside an application": lambda settings, health: serving(Starlette())(settings, health),
}


class Moments:
    """A status with what JSON does not know."""

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return False, {"reason": "waiting for the project", "since": datetime(2024, 1, 1, tzinfo=UTC)}

    def status(self) -> dict[str, Any]:
        return {"path": Path("/state"), "since": datetime(2024, 1, 1, tzinfo=UTC)}


def settings(port: int = 0, host: str = "127.0.0.1") -> ServiceSettings:
    return ServiceSettings(
        service=SERVICE,
        instance="probed-0",
        kafka_bootstrap="127.0.0.1:9",
        http_host=host,
        http_port=port,
        state_dir=Path("/none"),
        project=None,
    )


Serve = Callable[..., httpx.Client]


@pytest.fixture(params=SERVERS)
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    with ExitStack() as running:

        def started(health: Health, host: str = "127.0.0.1") -> httpx.Client:
            server: Any = SERVERS[request.param](settings(host=host), health)
            server.start()
            running.callback(server.stop)
            named = f"[{host}]" if ":" in host else host
            return running.enter_context(httpx.Client(base_url=f"http://{named}:{server.port}", timeout=10))

        yield started


def test_a_service_is_ready_when_what_it_waits_for_has_come(serve: Serve) -> None:
    health = Waiting("probed-0", "waiting for the broker")
    client = serve(health)
    waiting = client.get("/readyz")
    assert (waiting.status_code, waiting.json()) == (503, {"ready": False, "reason": "waiting for the broker"})
    assert client.get("/healthz").json() == {"alive": True}
    health.done()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert client.get("/status").json() == {"instance": "probed-0", "followers": {}}


def test_what_json_does_not_know_is_shown_as_text(serve: Serve) -> None:
    client = serve(Moments())
    assert client.get("/status").json() == {"path": "/state", "since": "2024-01-01 00:00:00+00:00", "followers": {}}
    assert client.get("/readyz?verbose=1").json()["since"] == "2024-01-01 00:00:00+00:00"


def test_metrics_are_as_prometheus_reads_them(serve: Serve) -> None:
    metrics.RETRIES.labels("test").inc()
    answer = serve(Moments()).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'driftloop_retries_total{step="test"}' in answer.text


def test_another_path_is_not_found(serve: Serve) -> None:
    assert serve(Moments()).get("/nothing").status_code == 404


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_can_be_listened_on(serve: Serve) -> None:
    assert serve(Moments(), host="::1").get("/healthz").status_code == 200


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_ends_when_it_is_stopped(name: str) -> None:
    server = SERVERS[name](settings(), Moments())
    server.start()
    assert server.alive
    server.stop()
    assert not server.alive


@pytest.mark.parametrize("name", SERVERS)
def test_a_taken_port_is_an_error_that_names_the_setting(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"DRIFTLOOP_PROBED_HTTP_PORT={port}: cannot listen on 127.0.0.1:{port}: Address"):
            SERVERS[name](settings(port), Moments())


def test_the_paths_of_health_are_in_no_api_document() -> None:
    app = FastAPI()
    server = serving(app)(settings(), Moments())
    server.start()
    server.stop()
    assert app.openapi()["paths"] == {}
