"""A stack as a person meets it: one command up, one command down, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click import Command
from click.testing import CliRunner, Result
from tests.support.clients import get, publish, put, read_all
from tests.support.ports import free_port_base
from tests.support.servers import REPOSITORY, shared_cache
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka_admin import administered
from driftloop.cli.stack.up import down, up
from driftloop.contracts.services import REGISTRY
from driftloop.contracts.topics import INCIDENTS
from driftloop.local.addresses import read_addresses
from driftloop.local.background import end_in_background
from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.instances import ONE_OF_EACH
from driftloop.local.kafka import answers
from driftloop.local.prepare import prepare_bucket
from driftloop.local.s3 import answers as store_answers
from driftloop.local.stack import LocalStack
from driftloop.service.settings import store_settings

NO_SERVICES = [f"--scale={name}=0" for name in ONE_OF_EACH]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Home of a stack that is ended even if the test fails."""
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(shared_cache()))
    monkeypatch.setenv("DRIFTLOOP_HOME", str(tmp_path))
    yield tmp_path
    end_in_background(tmp_path)


def bare_stack(home: Path) -> LocalStack:
    return LocalStack(home, free_port_base(), services={}, prepare=prepare_bucket)


def test_a_stack_tells_where_it_is_closed_to_others_and_alone_and_takes_that_back_when_it_ends(home: Path) -> None:
    home.chmod(0o755)
    with bare_stack(home):
        addresses = read_addresses(home)
        pids = addresses.pids
        assert answers(int(addresses.kafka_bootstrap.rpartition(":")[2]))
        assert store_answers(addresses.s3)

        assert home.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in (home / "secrets").iterdir()}
        assert modes == {"s3-access-key": 0o600, "s3-secret-key": 0o600, "s3.json": 0o600}

        with pytest.raises(LocalStackError, match="already runs"):
            bare_stack(home).start_infrastructure()

    assert not (home / "stack.json").exists()
    assert [name for name, pid in pids.items() if identity(pid) is not None] == ["supervisor"]


def test_what_was_acknowledged_before_a_hard_end_is_there_after_it(home: Path) -> None:
    stack = bare_stack(home)
    with stack:
        assert stack.infrastructure is not None
        infrastructure, access, bootstrap = stack.infrastructure, stack.addresses().s3, stack.addresses().kafka_bootstrap
        put(access, "kept", b"object")
        publish(bootstrap, "kept", b"record")

        infrastructure.kill("s3", signal.SIGKILL)
        infrastructure.kill("kafka", signal.SIGKILL)
        wait_until(lambda: infrastructure.restarts("s3") and infrastructure.restarts("kafka"), "both restarts")
        infrastructure.wait_ready(PATIENCE_SECONDS)

        assert get(access, "kept") == b"object"
        assert read_all(bootstrap, "kept", 1) == [b"record"]
        stack.refresh()
        assert read_addresses(home).pids["kafka"] == infrastructure.pid("kafka")


def run(command: Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_up_leaves_a_stack_running_and_down_ends_it_within_ten_seconds(home: Path) -> None:
    base = free_port_base()
    started = run(up, "--json", f"--port-base={base}", *NO_SERVICES)
    assert started.exit_code == 0, started.output
    assert json.loads(started.stdout)["kafka_bootstrap"] == f"127.0.0.1:{base}"
    pids = read_addresses(home).pids

    with Stopwatch() as taken:
        stopped = run(down, "--json")

    assert json.loads(stopped.stdout) == {"stopped": True}
    assert taken.seconds < 10
    assert {name: identity(pid) for name, pid in pids.items()} == dict.fromkeys(pids)


def test_up_again_is_a_success_and_with_another_port_range_a_mistake(home: Path) -> None:
    base = free_port_base()
    assert run(up, f"--port-base={base}", *NO_SERVICES).exit_code == 0
    pids = read_addresses(home).pids

    again = [run(up), run(up, f"--port-base={base}"), run(up, f"--port-base={base}", *NO_SERVICES, "--json")]
    elsewhere = run(up, f"--port-base={base + 100}")

    assert [result.exit_code for result in again] == [0, 0, 0], [result.output for result in again]
    assert json.loads(again[2].stdout)["port_base"] == base
    assert elsewhere.exit_code == 2
    assert f"with the ports from {base}" in elsewhere.stderr
    assert read_addresses(home).pids == pids


def test_nothing_survives_a_background_supervisor_that_is_killed(home: Path) -> None:
    assert run(up, f"--port-base={free_port_base()}", *NO_SERVICES).exit_code == 0
    pids = read_addresses(home).pids

    os.kill(pids["supervisor"], signal.SIGKILL)

    wait_until(lambda: not any(identity(pid) for pid in pids.values()), "Kafka and S3 to die")
    assert json.loads(run(down, "--json").stdout) == {"stopped": False}


def test_down_leaves_alone_a_process_that_only_has_the_recorded_pid(home: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with bare_stack(home):
        stale = replace(read_addresses(home), pids={"supervisor": stranger.pid})
    stale.write()

    run(down)

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_up_on_a_taken_port_says_so_in_one_line(home: Path) -> None:
    base = free_port_base()
    with socket.create_server(("127.0.0.1", base + 2)):
        refused = run(up, f"--port-base={base}", *NO_SERVICES)

    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        f"error: port taken: {base + 2} (for the S3 server); stop what uses it or choose another range with --port-base"
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scale", "predictor"], "write SERVICE=N"),
        (["--scale", "oracle=2"], "there is no service 'oracle'"),
        (["--scale", "predictor=11"], "0 to 10 instances"),
        (["--project", "nowhere"], "nowhere is not a project"),
        (["--port-base", "70000"], "--port-base between"),
    ],
)
def test_a_mistake_in_up_gets_one_line_and_exit_code_two(home: Path, arguments: list[str], complaint: str) -> None:
    refused = run(up, *arguments)

    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert complaint in refused.stderr


STUB_SERVICE = """\
import json, os, sys
from http.server import HTTPServer
from pathlib import Path
from tests.support.stub_service import ReadyHandler
mine = {name: value for name, value in os.environ.items() if name.startswith("DRIFTLOOP_REGISTRY_")}
Path(mine["DRIFTLOOP_REGISTRY_STATE_DIR"], "settings.json").write_text(json.dumps(mine))
HTTPServer((mine["DRIFTLOOP_REGISTRY_HTTP_HOST"], int(mine["DRIFTLOOP_REGISTRY_HTTP_PORT"])), ReadyHandler).serve_forever()
"""


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that are ready at once and do nothing."""
    for service in ("registry", "predictor"):
        folder = tmp_path / "modules" / f"driftloop_{service}"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(STUB_SERVICE.replace("REGISTRY", service.upper()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))


def test_other_counts_scale_a_stack_that_runs(home: Path, stand_ins: None) -> None:
    base = free_port_base()
    others = ["--scale=ingest=0", "--scale=monitor=0", "--scale=trainer=0"]
    assert run(up, f"--port-base={base}", "--scale=predictor=1", *others).exit_code == 0
    before = read_addresses(home)

    more = run(up, "--scale=predictor=3", "--json")
    assert more.exit_code == 0, more.output
    assert [name for name in json.loads(more.stdout)["services"] if name.startswith("predictor")] == [
        "predictor-0",
        "predictor-1",
        "predictor-2",
    ]
    grown = read_addresses(home)
    for url in grown.services.values():
        wait_until(lambda url=url: answers_ready(url), f"{url} to be ready")  # type: ignore[misc]
    assert {name: grown.pids[name] for name in before.pids} == before.pids  # nothing else was touched

    with socket.create_server(("127.0.0.1", base + 23)):
        taken = run(up, "--scale=predictor=4")
    assert (taken.exit_code, "predictor-3" in taken.stderr) == (2, True)

    fewer = run(up, "--scale=predictor=1")
    assert fewer.exit_code == 0, fewer.output
    shrunk = read_addresses(home)
    assert shrunk.services == before.services
    assert identity(grown.pids["predictor-2"]) is None
    assert identity(before.pids["predictor-0"]) is not None
    assert run(up, "--scale=registry=0").exit_code == 2


def test_up_again_makes_what_is_missing_and_starts_what_was_given_up_on(home: Path, stand_ins: None) -> None:
    others = ["--scale=ingest=0", "--scale=monitor=0", "--scale=trainer=0"]
    assert run(up, f"--port-base={free_port_base()}", "--scale=predictor=1", *others).exit_code == 0
    before = read_addresses(home)
    program = home / "modules" / "driftloop_predictor" / "__main__.py"
    sound = program.read_text()
    wait_until(lambda: answers_ready(before.services["predictor-0"]), "the predictor")

    program.write_text("import sys; sys.exit(78)")
    os.kill(before.pids["predictor-0"], signal.SIGKILL)
    wait_until(lambda: "predictor-0" in read_addresses(home).failures, "the predictor to be given up on")
    program.write_text(sound)
    with administered(before.kafka_bootstrap, "deleting a topic") as admin:
        admin.delete_topics([INCIDENTS])
        wait_until(lambda: INCIDENTS not in admin.list_topics(), "the topic to be gone")

    assert run(up).exit_code == 0
    assert read_addresses(home).failures == {}
    wait_until(lambda: answers_ready(before.services["predictor-0"]), "the predictor to be back")
    with administered(before.kafka_bootstrap, "looking at topics") as admin:
        assert INCIDENTS in admin.list_topics()
    after = read_addresses(home)
    assert after.pids["registry-0"] == before.pids["registry-0"]


def answers_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_service_reads_its_settings_comes_back_when_killed_and_ends_with_the_stack(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "modules" / "driftloop_registry"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(STUB_SERVICE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(stand_in.parent), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))

    with LocalStack(home, free_port_base(), {"registry": 1}, prepare_bucket) as stack:
        settings = store_settings(REGISTRY, json.loads((home / "state" / "registry-0" / "settings.json").read_text()))
        assert settings.kafka_bootstrap == stack.addresses().kafka_bootstrap
        assert settings.s3.secret_key == stack.addresses().s3.secret_key
        assert stack.services is not None
        stack.services.kill("registry-0", signal.SIGKILL)
        wait_until(lambda: stack.services is not None and stack.services.restarts("registry-0"), "the restart")
        stack.services.wait_ready(PATIENCE_SECONDS)
        pid = stack.services.pid("registry-0")

    assert identity(pid) is None
