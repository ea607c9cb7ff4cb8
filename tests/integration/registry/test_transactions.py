"""The registry's log ends in what a transaction left: everybody who waits for its end still gets there."""

import json

import httpx
from tests.integration.registry.moves import move, set_up
from tests.integration.registry.registry_process import commands, registry
from tests.support.clients import abort_transaction
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import KafkaTopics
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.history.registry_follower import RegistryFollower


def test_reads_moves_restarts_and_a_rebuild_work_behind_an_aborted_transaction(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        abort_transaction(world.bootstrap, REGISTRY_LOG, 200)

        def read() -> httpx.Response:
            return running.client.get(f"/models/{world.model}/aliases/champion")

        wait_until(lambda: read().status_code == 200, "a read that waits for the log's end", 30)
        assert move(running, world, 2, read().json()["epoch"]).status_code == 200
        abort_transaction(world.bootstrap, REGISTRY_LOG, 200)
        wait_until(lambda: read().status_code == 200, "a read behind the second one", 30)
        driftloop = commands(world, running, tmp_path)
        rebuilt = driftloop("registry", "rebuild", "--json")
        assert json.loads(rebuilt.stdout)["same"], rebuilt.stdout
    with registry(world, tmp_path, "registry-1") as again:  # ready only once it has the log's end
        assert again.get(f"/models/{world.model}/aliases/champion")["version"] == 2
    follower = RegistryFollower(KafkaTopics(world.bootstrap, client_id="test")).start(PATIENCE_SECONDS)
    try:
        assert follower.caught_up
    finally:
        follower.stop()
