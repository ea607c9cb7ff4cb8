"""What the registry must survive: I5 to I8 of the reliability catalogue, on a real broker and a real store."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.integration.registry.registry_process import make_world, registry
from tests.support.servers import kafka_server
from tests.support.waiting import wait_until
from tests.unit.loop.registry_commands import digest, measured

from driftloop.adapters.kafka import Producer, read_topic
from driftloop.contracts.codec import decode_event
from driftloop.contracts.commands import Command
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.errors import InvalidMessage
from driftloop.loop.registry import RegistryState, fold


@pytest.fixture
def world(kafka_bootstrap, s3, unique):
    return make_world(kafka_bootstrap, s3, f"m-{unique}")


def set_up(world, running, versions=2):
    """A project with version 1 as champion and others that did not pass."""
    assert running.client.post("/projects", json=world.project_body()).status_code == 201
    for n in range(1, versions + 1):
        request = f"{world.model}-r{n}"
        world.train(request, epoch=min(n - 1, 1), measured=None if n == 1 else measured(against=1, gain_lower=-1))
        world.decision(request)


def move(running, world, version, epoch):
    body = {"version": version, "expected_epoch": epoch, "reason": "a test", "actor": "a person"}
    return running.client.post(f"/models/{world.model}/aliases/champion", json=body)


class Mover:
    """Moves the champion back and forth as fast as the registry answers, and remembers what it was told."""

    def __init__(self, running, world):
        self.told, self.codes = [], []
        self._running, self._world = running, world
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        epoch = 1
        while not self._stopping.is_set():
            response = move(self._running, self._world, 1 + epoch % 2, epoch)
            self.codes.append(response.status_code)
            if response.status_code == 200:
                epoch = response.json()["epoch"]
                self.told.append(epoch)


def state_from_log(bootstrap, end):
    state = RegistryState()
    for record in read_topic(bootstrap, REGISTRY_LOG):
        if record.offset >= end:
            break
        try:
            event, _ = decode_event(record.value, record.headers)
        except InvalidMessage:
            state = state.skip(record.offset)
            continue
        assert isinstance(event, Command)
        state, _ = fold(state, event, record.offset)
    return state


def delete(database):
    database.unlink()


def delete_all(database):
    for path in database.parent.glob(database.name + "*"):
        path.unlink()


def flip_bytes(database):
    """Inside the content of rows, where SQLite itself sees nothing wrong."""
    hits = 0
    for path in (database, database.with_name(database.name + "-wal")):
        data = path.read_bytes()
        hits += data.count(b'"a person"')
        with path.open("r+b") as file:
            file.write(data.replace(b'"a person"', b'"a qerson"'))
    assert hits > 0


def scribble(database):
    for path in (database, database.with_name(database.name + "-wal")):
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))


@pytest.mark.parametrize("damage", [delete, delete_all, flip_bytes, scribble])
def test_database_lost_or_damaged_under_load_comes_back_the_same(world, tmp_path, damage):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        with Mover(running, world) as mover:
            for _ in range(3):
                wanted = len(mover.told) + 5
                wait_until(lambda wanted=wanted: len(mover.told) >= wanted, "moves before the damage")
                rebuilds = running.get("/status")["database"]["rebuilds"]
                damage(running.database)
                wait_until(lambda n=rebuilds: running.get("/digest") and running.get("/status")["database"]["rebuilds"] > n, "a rebuild")
        answers = running.get("/digest")

        assert set(mover.codes) == {200}  # no caller noticed
        assert answers["view_digest"] == answers["digest"] == state_from_log(world.bootstrap, answers["offset"]).digest()


def test_restart_gives_the_same_state(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        before = running.get("/digest")
    with registry(world, tmp_path) as running:
        after = running.get("/digest")

        assert state_from_log(world.bootstrap, before["offset"]).digest() == before["digest"]
        assert state_from_log(world.bootstrap, after["offset"]).digest() == after["digest"]
        assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 1


def test_training_that_is_delivered_again_gives_one_version_and_one_decision(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
        first = world.decision(f"{world.model}-r1")

        for _ in range(3):
            world.train(f"{world.model}-r1")
        wait_until(lambda: sum(map(len, world.decisions().values())) == 4, "four deliveries handled")

        assert len(running.get(f"/models/{world.model}")["versions"]) == 1
        assert running.get(f"/models/{world.model}/aliases/champion")["epoch"] == 1
        assert len(world.decisions()) == 1
        assert all(event == first for event in next(iter(world.decisions().values())))


@pytest.mark.parametrize("point", ["registry.after-register", "registry.after-promote", "registry.after-decision"])
def test_death_between_two_steps_repeats_none_of_them(world, tmp_path, point):
    with registry(world, tmp_path, DRIFTLOOP_CRASH_POINT=point) as dying:
        assert dying.client.post("/projects", json=world.project_body()).status_code == 201
        world.train(f"{world.model}-r1")
        assert dying.process.wait(30) == -signal.SIGKILL  # the fault did hit

    with registry(world, tmp_path) as running:
        decision = world.decision(f"{world.model}-r1")
        wait_until(lambda: len(running.get(f"/models/{world.model}/history")) >= 3, "project, version and promotion")

        assert decision.accepted
        assert len(world.decisions()) == 1
        accepted = [entry["type"] for entry in running.get(f"/models/{world.model}/history") if entry["outcome"]["accepted"]]
        assert accepted == ["driftloop.register-project.v1", "driftloop.register-version.v1", "driftloop.promote-version.v1"]


def test_run_whose_objects_are_missing_or_changed_is_decided_against(world, tmp_path):
    with registry(world, tmp_path) as running:
        assert running.client.post("/projects", json=world.project_body()).status_code == 201
        changed = world.store_model(f"{world.model}-r2")
        world.store.put(f"models/{world.model}/{changed}/manifest.json", b"{}")

        world.train(f"{world.model}-r1", manifest=digest("nowhere"))
        world.train(f"{world.model}-r2", manifest=changed)

        for request, reason in ((f"{world.model}-r1", "holds no"), (f"{world.model}-r2", "sha256 differs")):
            decision = world.decision(request)
            assert not decision.accepted
            assert reason in decision.reason
        assert running.get(f"/models/{world.model}")["versions"] == []


def test_candidate_measured_against_a_former_champion_is_decided_against(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        assert move(running, world, 2, 1).status_code == 200

        world.train(f"{world.model}-r3", epoch=1, measured=measured(against=1, gain_lower=0.5))

        decision = world.decision(f"{world.model}-r3")
        assert not decision.accepted
        assert "has moved since" in decision.reason
        assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 2


def test_two_registries_on_one_log_agree_and_let_one_racer_win(world, tmp_path):
    with registry(world, tmp_path, "registry-0") as one, registry(world, tmp_path, "registry-1") as other:
        set_up(world, one, versions=3)
        epoch = 1
        for _ in range(10):
            with ThreadPoolExecutor(8) as pool:
                answers = pool.map(lambda n, e=epoch: move((one, other)[n % 2], world, 1 + n % 3, e), range(8))
            assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
            epoch += 1
            assert {r.get(f"/models/{world.model}/aliases/champion")["epoch"] for r in (one, other)} == {epoch}

        versions = [r.get(f"/models/{world.model}")["versions"] for r in (one, other)]
        assert versions[0] == versions[1]
        assert [version["version"] for version in versions[0]] == [1, 2, 3]
        for answers in (one.get("/digest"), other.get("/digest")):
            assert answers["digest"] == answers["view_digest"] == state_from_log(world.bootstrap, answers["offset"]).digest()


def test_read_from_one_registry_shows_what_the_other_has_acknowledged(world, tmp_path):
    with registry(world, tmp_path, "registry-0") as one, registry(world, tmp_path, "registry-1") as other:
        set_up(world, one)
        for epoch in range(1, 51):
            assert move(one, world, 1 + epoch % 2, epoch).status_code == 200
            assert other.get(f"/models/{world.model}/aliases/champion")["epoch"] == epoch + 1


def test_kill_under_load_loses_no_acknowledged_move(world, tmp_path):
    told: list[int] = []
    for round_number in range(3):
        with registry(world, tmp_path) as running:
            if round_number == 0:
                set_up(world, running)
            epoch = running.get(f"/models/{world.model}/aliases/champion")["epoch"]
            assert not told or epoch in (told[-1], told[-1] + 1)  # one answer may have been lost with the process
            killer = threading.Timer(1.0, running.process.kill)
            killer.start()
            try:
                while True:
                    told.append(move(running, world, 1 + epoch % 2, epoch).json()["epoch"])
                    epoch = told[-1]
            except httpx.HTTPError:
                killer.join()

    assert len(told) > 10
    assert told == sorted(set(told))


def test_record_that_nobody_can_read_is_passed_over(kafka_bootstrap, s3, unique, tmp_path):
    with kafka_server() as bootstrap:
        world = make_world(bootstrap, s3, f"m-{unique}")
        producer = Producer(bootstrap, client_id="test")
        for value, headers in ((b"{", ()), (None, ()), (b"\xff", (("ce_type", b"\xff"),)), (b"[" * 5000, (("ce_id", b"x"),))):
            producer.send(REGISTRY_LOG, value, headers=headers)
        producer.flush()
        producer.close()
        with registry(world, tmp_path) as running:
            set_up(world, running, versions=1)
            answers = running.get("/digest")

            assert answers["digest"] == answers["view_digest"]
            assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 1


def test_paused_broker_gives_503_with_retry_after_and_stale_reads_go_on(s3, unique, tmp_path):
    with kafka_server() as bootstrap:
        world = make_world(bootstrap, s3, f"m-{unique}")
        with registry(world, tmp_path) as running:
            set_up(world, running)
            pid = broker_pid(bootstrap)
            os.kill(pid, signal.SIGSTOP)
            try:
                read = running.client.get(f"/models/{world.model}/aliases/champion")
                write = move(running, world, 2, 1)
                stale = running.client.get(f"/models/{world.model}/aliases/champion?stale=ok")
                health = running.client.get("/healthz")
            finally:
                os.kill(pid, signal.SIGCONT)

            assert (read.status_code, write.status_code) == (503, 503)
            assert int(read.headers["retry-after"]) > 0
            assert int(write.headers["retry-after"]) > 0
            assert stale.json()["version"] == 1
            assert health.status_code == 200

            def moved():
                epoch = running.client.get(f"/models/{world.model}/aliases/champion").json().get("epoch")
                return epoch and move(running, world, 2, epoch).status_code == 200

            wait_until(moved, "the registry to take commands again", 40)


def broker_pid(bootstrap):
    port = bootstrap.rpartition(":")[2]
    listening = subprocess.run(["ss", "-tlnp"], capture_output=True, text=True, check=True).stdout
    line = next(line for line in listening.splitlines() if f":{port} " in line)
    return int(line.partition("pid=")[2].partition(",")[0])


def test_sigterm_ends_the_registry_with_exit_code_0_within_ten_seconds(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        with Mover(running, world) as mover:
            wait_until(lambda: len(mover.told) > 3, "moves under way")
            started = time.monotonic()
            mover._stopping.set()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(12) == 0
            assert time.monotonic() - started < 10


def test_taken_port_is_named_with_its_setting(world, tmp_path):
    with registry(world, tmp_path) as running:
        port = str(running.client.base_url.port)
        environment = {"DRIFTLOOP_REGISTRY_HTTP_PORT": port}
        with pytest.raises(AssertionError, match="DRIFTLOOP_REGISTRY_HTTP_PORT"), registry(world, tmp_path, "twin", **environment):
            pass


def test_rebuild_on_the_command_line_gives_the_live_digest(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)

        def driftloop(*arguments):
            command = [str(Path(sys.executable).with_name("driftloop")), *arguments]
            environment = os.environ | cli_environment(world, running, tmp_path)
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        rebuilt = driftloop("registry", "rebuild", "--json")
        shown = driftloop("models", "show", world.model, "--json")
        history = driftloop("models", "history", world.model)
        unknown = driftloop("models", "show", "no-such-model")

        assert rebuilt.returncode == 0, rebuilt.stderr
        assert json.loads(rebuilt.stdout)["rebuilt"] == json.loads(rebuilt.stdout)["live"]
        assert len(json.loads(shown.stdout)["versions"]) == 2
        assert "refused" in history.stdout
        assert driftloop("models", "list").returncode == 0
        assert unknown.returncode == 2
        assert unknown.stderr.startswith("error: ")
        assert unknown.stderr.count("\n") == 1


def cli_environment(world, running, folder):
    (folder / "access").write_text(world.s3.access_key)
    (folder / "secret").write_text(world.s3.secret_key)
    return {
        "DRIFTLOOP_CLI_KAFKA_BOOTSTRAP": world.bootstrap,
        "DRIFTLOOP_CLI_S3_ENDPOINT": world.s3.endpoint,
        "DRIFTLOOP_CLI_S3_ACCESS_KEY_FILE": str(folder / "access"),
        "DRIFTLOOP_CLI_S3_SECRET_KEY_FILE": str(folder / "secret"),
        "DRIFTLOOP_CLI_REGISTRY_URL": str(running.client.base_url).rstrip("/"),
    }
