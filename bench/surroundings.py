"""What measurements share, made when first asked for and ended together: Kafka and S3, the flights, a model of them."""

import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bench.clocks import BenchError, cpu_seconds
from bench.flights import FlightsModel, fit_flights
from driftloop.adapters.kafka import Producer
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import SERVICES
from driftloop.demo.stack import RunningStack
from driftloop.local.addresses import StackAddresses
from driftloop.local.environment import service_environment
from driftloop.local.instances import Instance
from driftloop.local.port_numbers import free_port_base
from driftloop.local.prepare import prepare_stack
from driftloop.local.process import ProcessSpec, log_tail, spawn, stop, wait_ready
from driftloop.local.stack import LocalStack
from driftloop.settings import S3Settings

READY_SECONDS = 120.0
STOP_SECONDS = 8.0


class Service(NamedTuple):
    """A running process of a service."""

    pid: int
    url: str
    log: Path
    http: httpx.Client

    def status(self) -> dict[str, Any]:
        try:
            return dict(self.http.get("/status").raise_for_status().json())
        except httpx.HTTPError as exc:
            raise BenchError(f"{self.url}/status: {exc!r}; the end of its log:\n{log_tail(self.log)}") from exc

    def cpu(self) -> float:
        return cpu_seconds(self.pid)


class Surroundings:
    """``say`` shows progress. Everything is below a temporary folder, and ends with ``close``."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._open = ExitStack()
        self.folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="driftloop-bench-")))

    def close(self) -> None:
        self._open.close()

    @cached_property
    def addresses(self) -> StackAddresses:
        """Kafka and S3 with their topics and bucket, without services."""
        self.say("starting Kafka and S3")
        stack = LocalStack(self.folder / "stack", free_port_base(), services={}, prepare=prepare_stack)
        self._open.callback(stack.stop)
        stack.start_infrastructure()
        return stack.addresses()

    @cached_property
    def s3(self) -> S3Settings:
        return RunningStack(self.addresses, dict).s3

    @cached_property
    def store(self) -> MinioObjectStore:
        return MinioObjectStore(self.s3)

    @cached_property
    def flights(self) -> FlightsModel:
        self.say("fitting the flights model")
        return fit_flights(self.folder / "pipeline")

    @contextmanager
    def producer(self) -> Iterator[Producer]:
        """Closed when it is not used: its threads would count as this process's time."""
        with closing(Producer(self.addresses.kafka_bootstrap, client_id="bench")) as producer:
            yield producer

    @contextmanager
    def service(self, name: str, project: str) -> Iterator[Service]:
        """A real process of a service, ready, for one project."""
        port = _free_port()
        instance = Instance(name, uuid.uuid4().int % 10**8, project)
        env = service_environment(self.addresses, SERVICES[name], instance, Path(self.addresses.home) / "state" / instance.name, port)
        with self.process(f"driftloop_{name}", [], env, port, instance.name) as running:
            yield running

    @contextmanager
    def process(self, module: str, arguments: list[str], env: dict[str, str], port: int, instance: str) -> Iterator[Service]:
        """``python -m module`` as a process that answers HTTP on ``port``, ready."""
        url = f"http://127.0.0.1:{port}"
        log = self.folder / "logs" / f"{instance}.log"
        spec = ProcessSpec(instance, [sys.executable, "-m", module, *arguments], env, log, ready_url=f"{url}/readyz")
        process = spawn(spec)
        try:
            wait_ready(process, spec, READY_SECONDS)
            with httpx.Client(base_url=url, timeout=10) as http:
                yield Service(process.pid, url, log, http)
        finally:
            stop(process, STOP_SECONDS)

    @contextmanager
    def echo(self) -> Iterator[Service]:
        """An ASGI application that does nothing, on the server and with the options of the predictor."""
        port = _free_port()
        with self.process("bench.echo", [str(port)], {}, port, "echo") as running:
            yield running


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
