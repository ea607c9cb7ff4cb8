"""The frame around a service: HTTP from the start, the order of the end, what happens when something is not there."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.registry.commands import MODEL, folded, register_project

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.commands import RegisterProject
from driftloop.contracts.services import Service
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import Record
from driftloop.registry.fold import RegistryState
from driftloop.service.connecting import left_in_place, until_connected
from driftloop.service.health import Health, Waiting
from driftloop.service.process import EXIT_FAILED, EXIT_RESTART, Stop, Stopped
from driftloop.service.settings import ServiceSettings
from driftloop.service.start import Parts, started


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ServiceSettings(
        service=Service(name="framed", port_offset=60),
        instance="framed-0",
        kafka_bootstrap="127.0.0.1:9",
        http_host="127.0.0.1",
        http_port=port,
        state_dir=tmp_path,
        project=None,
    )
    return Parts(settings, Stop())


class FakeServer:
    """Tells a test what is done to it."""

    def __init__(self, told: list[str]) -> None:
        self.alive, self._told = True, told

    def start(self) -> None:
        self._told.append("http started")

    def stop(self) -> None:
        self.alive = False
        self._told.append("http stopped")


def test_health_is_answered_while_the_service_waits_for_everything_else(parts: Parts) -> None:
    url = f"http://127.0.0.1:{parts.settings.http_port}"
    with started(parts, Waiting("framed-0", "waiting for the broker")):
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz").json()["reason"] == "waiting for the broker"
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/healthz")


def test_http_stops_before_what_its_answers_need_and_that_ends_newest_first(parts: Parts) -> None:
    told: list[str] = []
    parts.at_end.callback(told.append, "producer closed")
    with started(parts, Waiting("framed-0", ""), lambda settings, health: FakeServer(told)):
        parts.at_end.callback(told.append, "recorder stopped")
        told.append("worked")
    assert told == ["http started", "worked", "http stopped", "recorder stopped", "producer closed"]


def test_an_error_ends_everything_and_is_the_one_that_counts(parts: Parts) -> None:
    told: list[str] = []
    parts.at_end.callback(told.append, "producer closed")
    with (
        pytest.raises(ConfigurationError, match="topic x does not exist"),
        started(parts, Waiting("framed-0", ""), lambda settings, health: FakeServer(told)),
    ):
        raise ConfigurationError("topic x does not exist")
    assert told == ["http started", "http stopped", "producer closed"]
    assert not parts.stop.requested()


def test_http_that_ends_by_itself_stops_the_process(parts: Parts) -> None:
    servers: list[FakeServer] = []

    def serve(settings: ServiceSettings, health: Health) -> FakeServer:
        servers.append(FakeServer([]))
        return servers[0]

    with started(parts, Waiting("framed-0", ""), serve):
        servers[0].alive = False
        wait_until(parts.stop.requested, "the process to be stopped", 5)
    assert parts.stop.code == EXIT_FAILED


class FakeRegistry:
    """Has folded its log, and tells nobody of anything new."""

    caught_up = True

    def __init__(self, *commands: RegisterProject) -> None:
        self._state, _ = folded(*commands)

    def start(self, timeout_seconds: float) -> None:
        pass

    def state(self) -> RegistryState:
        return self._state

    def subscribe(self, callback: Callable[[RegistryState], None]) -> None:
        pass


@pytest.mark.parametrize("newer", [True, False])
def test_an_archive_that_came_while_the_project_was_loaded_starts_the_service_again(parts: Parts, newer: bool) -> None:
    project = sample_project(small_schema(MODEL))
    registered = msgspec.structs.replace(register_project(), archive=project.digest())
    parts.registry = FakeRegistry(registered, *([register_project("next", archive="newer")] if newer else []))  # type: ignore[assignment]
    assert parts.project(MemoryStore(), find=lambda registry, store, name, stop: project) is project
    assert (parts.stop.requested(), parts.stop.code) == ((True, EXIT_RESTART) if newer else (False, 0))


def test_what_is_not_there_yet_is_tried_again_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.service.connecting.RETRY_SECONDS", 0.01)
    answers: list[Any] = [TransientError("broker away"), TransientError("store away"), "connected"]
    failures: list[str] = []

    def connect() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert until_connected(connect, Stop(), on_failure=lambda exc: failures.append(str(exc))) == "connected"
    assert failures == ["broker away", "store away"]


def test_a_stop_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()

    def connect() -> None:
        stop.request()
        raise TransientError("broker away")

    with pytest.raises(Stopped):
        until_connected(connect, stop)


def test_a_client_that_waits_for_its_broker_does_not_hold_up_a_stop() -> None:
    stop, for_ever, connected = Stop(), threading.Event(), threading.Event()

    def connect() -> None:
        stop.request()
        for_ever.wait(PATIENCE_SECONDS)
        connected.set()

    with pytest.raises(Stopped):
        until_connected(connect, stop)
    assert not connected.is_set()
    for_ever.set()


def test_a_wrong_configuration_is_not_waited_out() -> None:
    def connect() -> None:
        raise ConfigurationError("topic x does not exist")

    with pytest.raises(ConfigurationError):
        until_connected(connect, Stop())


def test_an_unreadable_record_stays_where_it_is_and_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    record = Record("retrain-requests", 2, 17, 0, b"m", b"junk", ())
    left_in_place("request-unreadable")(record, "no header ce_id")
    (logged,) = caplog.records
    assert logged.getMessage() == "request-unreadable"
    assert logged.fields == {"reason": "no header ce_id", "topic": "retrain-requests", "partition": 2, "offset": 17}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (EXIT_RESTART, EXIT_RESTART)])
def test_a_stop_while_something_is_waited_for_is_no_failure(code: int, expected: int) -> None:
    body = f"""
from driftloop.service.process import run_service

def run(stop):
    stop.request({code})
    stop.check()
    raise AssertionError("went on after the stop")

run_service("framed", run)
"""
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (expected, "")


def test_the_kit_asks_for_no_client_that_a_service_without_store_and_http_does_not_have() -> None:
    body = (
        "import sys, driftloop.service.start; print([m for m in ('minio', 'uvicorn', 'starlette', 'pyarrow', 'faust') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
