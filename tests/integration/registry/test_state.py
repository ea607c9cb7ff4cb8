"""The state is that of the log, whatever happens to the database or the process: I7 and I8 of the reliability catalogue."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.integration.registry.moves import Mover, move, set_up, state_from_log
from tests.integration.registry.registry_process import make_world, registry
from tests.support.servers import kafka_server
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import Producer
from driftloop.contracts.topics import REGISTRY_LOG


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


def kill_after(running, told: list[int], moves: int) -> None:
    wait_until(lambda: len(told) >= moves, f"{moves} moves before the kill")
    running.process.kill()


def test_kill_under_load_loses_no_acknowledged_move(world, tmp_path):
    told: list[int] = []
    for round_number in range(3):
        with registry(world, tmp_path) as running:
            if round_number == 0:
                set_up(world, running)
            epoch = running.get(f"/models/{world.model}/aliases/champion")["epoch"]
            assert not told or epoch in (told[-1], told[-1] + 1)  # one answer may have been lost with the process
            killer = threading.Thread(target=kill_after, args=(running, told, len(told) + 5))
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
