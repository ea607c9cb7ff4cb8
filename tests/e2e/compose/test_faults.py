"""The loop in containers under load: every container killed in turn, one changed while it works; nothing is lost, and it goes on."""

import json
import subprocess
import threading
import time
from collections import Counter

import httpx
import pytest
from tests.e2e.compose.stack import REPOSITORY, Stack
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import AssignedConsumer, partitions_of
from driftloop.contracts.services import SERVICES
from driftloop.demo.example import DATA, example_folder
from driftloop.demo.flights import read_flights
from driftloop.errors import TransientError
from driftloop.ports import TopicPartition
from driftloop.project.reading import read_project

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]

FRACTION, WINDOWS = "0.02", 12
REQUESTS = "flights.requests"
DEMO_SECONDS = 2400  # it shares two cores with everything else


class Demo:
    """The flights replay, running in its container while this process does harm."""

    def __init__(self, stack: Stack) -> None:
        command = ["docker", "compose", "--profile", "demo", "run", "--rm", "-T", "--no-deps", "demo"]
        arguments = ["demo", "--external", "--fraction", FRACTION, "--windows", str(WINDOWS), "--json"]
        self._stack = stack
        self._process = subprocess.Popen([*command, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for_rows(self, rows: int) -> None:
        """Until the broker holds that many requests, or the demo has ended."""
        wait_until(lambda: not self.running() or sent(self._stack) >= rows, f"{rows} requests", DEMO_SECONDS)

    def report(self) -> dict[str, object]:
        out, err = self._process.communicate(timeout=DEMO_SECONDS)
        if not out.lstrip().startswith("{"):
            logs = self._stack.compose("logs", "--no-color", "--tail", "15", *SERVICES, check=False).stdout
            pytest.fail(f"the demo ended with {self._process.returncode}:\n{err[-3000:]}\n{logs}")
        found: dict[str, object] = json.loads(out)
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def sent(stack: Stack) -> int:
    """Requests that the broker holds; 0 while it does not answer, as on a machine that is busy with everything at once."""
    try:
        return _ends(stack)
    except TransientError:
        return 0


def _ends(stack: Stack) -> int:
    tps = [TopicPartition(REQUESTS, partition) for partition in range(partitions_of(stack.kafka("cli"), REQUESTS))]
    consumer = AssignedConsumer(stack.kafka("cli"), tps, client_id="compose-test")
    try:
        return sum(consumer.end_offsets(tps).values())
    finally:
        consumer.close()


def test_every_container_is_killed_and_one_changed_and_no_row_is_lost(stack: Stack) -> None:
    demo, hits = Demo(stack), []
    try:
        demo.wait_for_rows(800)  # the history and a part of the first window
        for service in (*SERVICES, "minio", "kafka"):
            if not demo.running():
                break
            stack.compose("kill", "-s", "KILL", service)
            hits.append(service)
            time.sleep(2)
            stack.compose("up", "-d", "--no-build", "--no-deps", service)
            stack.wait_healthy(service)
        stack.compose("up", "-d", "--build", "--force-recreate", "--no-deps", "predictor")
        changed_under_load = demo.running()
        report = demo.report()
    finally:
        demo.end()
    assert hits == [*SERVICES, "minio", "kafka"], "the replay ended before every container had been killed: raise WINDOWS"
    assert changed_under_load
    check(report)


def check(report: dict[str, object]) -> None:
    conservation = report["conservation"]
    assert isinstance(conservation, dict)
    assert conservation["ok"], conservation
    assert conservation["sent"] == conservation["lake"] + conservation["quarantined"] > 0
    versions = report["versions"]
    assert isinstance(versions, list)
    numbers = [version["version"] for version in versions]
    assert numbers == list(range(1, len(numbers) + 1)), "versions are dense from 1"
    windows = report["windows"]
    assert isinstance(windows, list)
    assert len(windows) == WINDOWS, "every window was decided on, so the loop went on to the end"


class Caller:
    """Asks the predictor over HTTP, one row after the other, each to be recorded before it is answered."""

    def __init__(self, stack: Stack) -> None:
        self.accepted: dict[str, int] = {}  # event id: version that answered
        self.refused: list[tuple[int, str]] = []
        self._stack, self._ending = stack, threading.Event()
        self._thread = threading.Thread(target=self._work)
        folder = example_folder()
        (row,) = read_flights(folder / DATA, read_project(folder).schema).requests.slice(0, 1).to_pylist()
        self._row = row | {"event_time": row["event_time"].isoformat()}

    def __enter__(self) -> "Caller":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._ending.wait(0.1):
            number += 1
            row = self._row | {"event_id": f"http-{number}"}
            try:
                answer = httpx.post(f"{self._stack.predictor_url}/invocations?durable=1", json={"instances": [row]}, timeout=30)
            except httpx.TransportError:  # between the old container and the new one nobody listens
                continue
            if answer.status_code == httpx.codes.OK:
                self.accepted[row["event_id"]] = answer.json()["version"]
            else:
                self.refused.append((answer.status_code, answer.text))


def test_what_was_accepted_over_http_during_a_change_is_in_the_lake_and_was_answered_by_the_champion(stack: Stack) -> None:
    champion = httpx.get(f"{stack.registry_url}/models/flights-late/aliases/champion").json()["version"]
    with Caller(stack) as caller:
        wait_until(lambda: len(caller.accepted) >= 10, "answers before the change", 60)
        stack.compose("up", "-d", "--build", "--force-recreate", "--no-deps", "predictor")
        stack.wait_healthy("predictor")
        before = len(caller.accepted)
        wait_until(lambda: len(caller.accepted) >= before + 10, "answers after the change", 60)
    assert set(caller.accepted.values()) == {champion}
    assert [code for code, _ in caller.refused if code != httpx.codes.SERVICE_UNAVAILABLE] == [], caller.refused

    def recorded() -> Counter[str]:
        exported = stack.cli("datasets", "export", "flights", "--table", "inferences", "--columns", "event_id", "--format", "jsonl")
        ids = [json.loads(row)["event_id"] for row in exported.splitlines()]
        return Counter(event_id for event_id in ids if event_id in caller.accepted)

    wait_until(lambda: recorded() == Counter(dict.fromkeys(caller.accepted, 1)), "every accepted row to be in the lake, once", 60)
