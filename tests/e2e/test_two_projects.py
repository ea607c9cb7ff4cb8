"""Two projects on one local stack: each with services of its own, and neither notices what is done to the other."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.e2e.shop import CONFIG, FIRST, PIPELINE, row
from tests.support.ports import free_port_base
from tests.support.servers import shared_cache
from tests.support.waiting import wait_until

import driftloop
from driftloop.adapters.kafka import Producer
from driftloop.cli.stack.up import down, up
from driftloop.contracts.headers import CONTENT_TYPE, JSON
from driftloop.contracts.topics import requests
from driftloop.errors import TransientError, UserError
from driftloop.installation import installation_of
from driftloop.local.addresses import read_addresses
from driftloop.local.background import end_in_background
from driftloop.local.identity import identity

ROWS = 50
OWN = ("ingest", "predictor", "monitor")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(shared_cache()))
    monkeypatch.setenv("DRIFTLOOP_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    end_in_background(tmp_path / "home")


def project(folder: Path, name: str) -> str:
    """Its folder, as an argument."""
    found = folder / name
    found.mkdir()
    config = (
        CONFIG.format(features=FIRST, version=1).replace('name = "shop"', f'name = "{name}"').replace('model = "late"', f'model = "{name}"')
    )
    (found / "driftloop.toml").write_text(config)
    (found / "pipeline.py").write_text(PIPELINE)
    return f"--project={found}"


def run(command: object, *arguments: str) -> Result:
    done = CliRunner().invoke(command, list(arguments))  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done


def told_projects(home: Path) -> dict[str, str | None]:
    """What each instance says that it works for; None while it does not answer or waits."""
    with httpx.Client(timeout=5) as client:  # one for all: making one costs more than asking

        def told(url: str) -> str | None:
            try:
                ready = client.get(f"{url}/readyz").status_code == httpx.codes.OK
                return str(client.get(f"{url}/status").json()["project"]) if ready else None
            except (httpx.HTTPError, ValueError):
                return None

        return {name: told(url) for name, url in read_addresses(home).services.items() if name.startswith(OWN)}


def send(home: Path, stream: str, numbers: range) -> None:
    with closing(Producer(read_addresses(home).kafka_bootstrap, client_id="applications")) as producer:
        for n in numbers:
            producer.send(requests(stream), msgspec.json.encode(row(n)), key=b"k%d" % n, headers=((CONTENT_TYPE, JSON.encode()),))
        producer.flush()


def in_the_lake(home: Path, stream: str) -> int:
    try:
        return driftloop.Client(stack=installation_of(read_addresses(home))).dataset(stream).to_arrow().num_rows
    except (UserError, TransientError):
        return 0


@pytest.mark.timeout(1500)
def test_each_project_has_its_own_services_and_none_notices_what_is_done_to_another(home: Path, tmp_path: Path) -> None:
    alpha, beta = project(tmp_path, "alpha"), project(tmp_path, "beta")
    run(up, f"--port-base={free_port_base()}", alpha)
    before = read_addresses(home)
    assert set(told_projects(home).values()) == {"alpha"}

    shown = run(up, beta)
    assert "predictor-1" in shown.output
    both = {f"{service}-{number}": name for number, name in enumerate(("alpha", "beta")) for service in OWN}
    assert told_projects(home) == both
    after = read_addresses(home)
    assert {name: after.pids[name] for name in before.pids} == before.pids, "nothing of alpha was touched"

    for name in ("alpha", "beta"):
        send(home, name, range(ROWS))
    wait_until(lambda: (in_the_lake(home, "alpha"), in_the_lake(home, "beta")) == (ROWS, ROWS), "every row of both in the lake")

    # any restart used to end in "waiting for a project": two are registered
    for service in OWN:
        os.kill(after.pids[f"{service}-0"], signal.SIGKILL)
    wait_until(lambda: all(identity(after.pids[f"{service}-0"]) is None for service in OWN), "alpha's services to be gone")
    wait_until(lambda: told_projects(home) == both, "alpha's services to be back, for alpha")
    send(home, "alpha", range(ROWS, 2 * ROWS))
    wait_until(lambda: in_the_lake(home, "alpha") == 2 * ROWS, "alpha's next rows in the lake")

    status = {
        s.instance: s.project for s in driftloop.Client(stack=installation_of(read_addresses(home))).status().services if s.instance in both
    }
    assert status == both
    unclear = CliRunner().invoke(up, ["--scale=predictor=2"])
    assert unclear.exit_code == 2
    assert "predictor of which project?" in unclear.stderr

    kept = read_addresses(home)
    run(down, "--project=beta")
    left = read_addresses(home)
    assert told_projects(home) == {name: "alpha" for name, owner in both.items() if owner == "alpha"}
    assert {name: left.pids[name] for name in left.pids} == {name: pid for name, pid in kept.pids.items() if both.get(name) != "beta"}
    assert identity(kept.pids["predictor-1"]) is None
    again = CliRunner().invoke(down, ["--project=beta"])
    assert (again.exit_code, "nothing runs here for a project 'beta'; there is alpha" in again.stderr) == (2, True)

    # a stack that is started again has the same projects; the one that was taken down comes back when it is asked for
    run(down)
    started = json.loads(run(up, "--json", f"--port-base={free_port_base()}").stdout)
    assert set(started["projects"].values()) == {"alpha"}
    wait_until(lambda: set(told_projects(home).values()) == {"alpha"}, "alpha's services after a new start")
    run(up, beta)
    assert told_projects(home) == both
    assert (in_the_lake(home, "alpha"), in_the_lake(home, "beta")) == (2 * ROWS, ROWS)
