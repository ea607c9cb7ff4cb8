"""The registry as a process: its broker away, its end, its port, and its commands."""

import json
import signal

import pytest
from tests.integration.registry.moves import Mover, move, set_up
from tests.integration.registry.registry_process import commands, make_world, registry
from tests.support.servers import pausable_kafka_server
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import PATIENCE_SECONDS, wait_until


def test_paused_broker_gives_503_with_retry_after_and_stale_reads_go_on(s3, unique, tmp_path):
    with pausable_kafka_server() as broker:
        world = make_world(broker.bootstrap, s3, f"m-{unique}")
        with registry(world, tmp_path) as running:
            set_up(world, running)
            broker.pause()
            try:
                read = running.client.get(f"/models/{world.model}/aliases/champion")
                write = move(running, world, 2, 1)
                stale = running.client.get(f"/models/{world.model}/aliases/champion?stale=ok")
                health = running.client.get("/healthz")
            finally:
                broker.go_on()

            assert (read.status_code, write.status_code) == (503, 503)
            assert int(read.headers["retry-after"]) > 0
            assert int(write.headers["retry-after"]) > 0
            assert stale.json()["version"] == 1
            assert health.status_code == 200

            def moved():
                epoch = running.client.get(f"/models/{world.model}/aliases/champion").json().get("epoch")
                return epoch and move(running, world, 2, epoch).status_code == 200

            wait_until(moved, "the registry to take commands again")


def test_sigterm_ends_the_registry_with_exit_code_0_within_ten_seconds(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        with Mover(running, world) as mover:
            wait_until(lambda: len(mover.told) > 3, "moves under way")
            mover._stopping.set()
            with Stopwatch() as taken:
                running.process.send_signal(signal.SIGTERM)
                assert running.process.wait(PATIENCE_SECONDS) == 0
            assert taken.seconds < 10


def test_taken_port_is_named_with_its_setting(world, tmp_path):
    with registry(world, tmp_path) as running:
        port = str(running.client.base_url.port)
        environment = {"DRIFTLOOP_REGISTRY_HTTP_PORT": port}
        with pytest.raises(AssertionError, match="DRIFTLOOP_REGISTRY_HTTP_PORT"), registry(world, tmp_path, "twin", **environment):
            pass


def test_rebuild_on_the_command_line_gives_the_live_digest(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        driftloop = commands(world, running, tmp_path)

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
