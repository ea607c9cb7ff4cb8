"""Completed runs become one version and one decision each, whatever happens on the way: I6 of the reliability catalogue."""

import signal
from datetime import UTC, datetime

import pytest
from tests.integration.registry.moves import move, set_up
from tests.integration.registry.registry_process import registry
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.registry.commands import digest, measured, promote

from driftloop.adapters.kafka import Producer, Publisher
from driftloop.contracts.codec import caused_id
from driftloop.contracts.topics import REGISTRY_LOG


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


@pytest.mark.parametrize(
    "point", ["registry.after-register", "registry.after-promote", "registry.after-recalibrate", "registry.after-decision"]
)
def test_death_between_two_steps_repeats_none_of_them(world, tmp_path, point):
    with registry(world, tmp_path, DRIFTLOOP_CRASH_POINT=point) as dying:
        assert dying.client.post("/projects", json=world.project_body()).status_code == 201
        world.train(f"{world.model}-r1")
        assert dying.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL  # the fault did hit

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

        for request, reason in ((f"{world.model}-r1", "holds no"), (f"{world.model}-r2", "their sha256 is")):
            decision = world.decision(request)
            assert not decision.accepted
            assert reason in decision.reason
        assert running.get(f"/models/{world.model}")["versions"] == []


def test_verdict_on_a_run_whose_objects_were_missing_stands_after_they_are_there(world, tmp_path):
    request = f"{world.model}-r1"
    manifest = digest(request)  # nothing is stored under it yet
    with registry(world, tmp_path) as running:
        assert running.client.post("/projects", json=world.project_body()).status_code == 201
        world.train(request, manifest=manifest)
        first = world.decision(request)

        world.train(request, manifest=world.store_model(request))
        wait_until(lambda: sum(map(len, world.decisions().values())) == 2, "two deliveries handled")

        (decisions,) = world.decisions().values()
        assert [(d.accepted, d.reason) for d in decisions] == [(False, first.reason)] * 2
        assert "holds no" in first.reason
        assert running.get(f"/models/{world.model}")["versions"] == []
        last = running.get(f"/models/{world.model}/history")[-1]
        assert (last["type"], last["outcome"]["reason"]) == ("driftloop.refuse-run.v1", first.reason)


def test_command_under_the_id_of_the_registrys_own_does_not_decide_for_it(world, tmp_path):
    request = f"{world.model}-r2"
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
        stolen = promote(request, epoch=0, model=world.model, command_id=caused_id("promote", request), at=datetime.now(UTC))
        producer = Producer(world.bootstrap, client_id="stranger")
        Publisher(producer, source="stranger").publish(REGISTRY_LOG, stolen, key=world.model, id="stranger")
        producer.close()

        world.train(request, epoch=1, measured=measured(against=1))

        assert world.decision(request).accepted
        assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 2


def test_run_of_a_model_that_nobody_has_registered_leaves_no_record(world, tmp_path):
    with registry(world, tmp_path) as running:
        before = running.get("/digest")

        world.train(f"{world.model}-r1")

        assert "no project is registered" in world.decision(f"{world.model}-r1").reason
        assert running.get("/digest") == before


def test_candidate_measured_against_a_former_champion_is_decided_against(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        assert move(running, world, 2, 1).status_code == 200

        world.train(f"{world.model}-r3", epoch=1, measured=measured(against=1, gain_lower=0.5))

        decision = world.decision(f"{world.model}-r3")
        assert not decision.accepted
        assert "has moved since" in decision.reason
        assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 2
