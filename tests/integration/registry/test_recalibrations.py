"""Recalibrations on the real log: from a run's proposal or a person's call, once, whatever happens on the way."""

import json
import signal

import pytest
from tests.integration.registry.moves import move, set_up
from tests.integration.registry.registry_process import commands, registry
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.registry.commands import measured
from tests.unit.registry.corrections import HALF, LOGIT, proposal

from driftloop.contracts.codec import caused_id

LOSES = measured(against=1, gain_lower=-1)
NUMBERS = {"kind": "logit", "strength": 1.0, "intercept": 0.2, "slope": 0.9}


def recalibrations(running, world):
    return running.get(f"/models/{world.model}/recalibrations")


def decision(world, request):
    name = caused_id("decision", "recalibrate", request)
    wait_until(lambda: name in world.decisions(), f"the recalibration decided on {request}")
    return world.decisions()[name]


def test_a_runs_proposal_is_in_force_once_however_often_it_is_delivered(world, tmp_path):
    request = f"{world.model}-r2"
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
        for _ in range(3):
            world.train(request, epoch=1, measured=LOSES, recalibrations=(proposal(HALF),))
        wait_until(lambda: len(decision(world, request)) == 3, "three deliveries handled")

        found = recalibrations(running, world)
        assert (found["epoch"], found["champion"], found["in_force"]["request_id"]) == (1, 1, request)
        assert found["in_force"]["recalibration"] == {"kind": "logit", "strength": 0.5, "intercept": 0.1, "slope": 0.95}
        assert all(each.accepted and each == decision(world, request)[0] for each in decision(world, request))
        assert len(running.get(f"/models/{world.model}")["versions"]) == 2

        digests = running.get("/digest")
        assert digests["digest"] == digests["view_digest"]

    with registry(world, tmp_path, name="registry-1") as again:  # folded anew from the log
        assert recalibrations(again, world) == found
        assert again.get("/digest") == digests


@pytest.mark.parametrize("point", ["registry.after-promote", "registry.after-recalibrate", "registry.after-decision"])
def test_death_around_a_recalibration_repeats_no_step(world, tmp_path, point):
    request = f"{world.model}-r2"
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
    with registry(world, tmp_path, DRIFTLOOP_CRASH_POINT=point) as dying:
        world.train(request, epoch=1, measured=LOSES, recalibrations=(proposal(),))
        assert dying.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL  # the fault did hit

    with registry(world, tmp_path) as running:
        assert decision(world, request)[0].accepted
        history = running.get(f"/models/{world.model}/history")
        assert [entry["type"] for entry in history].count("driftloop.recalibrate.v1") == 1
        assert recalibrations(running, world)["epoch"] == 1


def test_a_promotion_takes_its_own_runs_correction_and_a_rollback_none(world, tmp_path):
    request = f"{world.model}-r2"
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
        world.train(
            request, epoch=1, measured=measured(against=1), recalibrations=(proposal(HALF), proposal(LOGIT, of="candidate", full=LOGIT))
        )
        assert decision(world, request)[0].accepted
        found = recalibrations(running, world)
        assert (found["champion"], found["in_force"]["version"], found["in_force"]["champion_epoch"]) == (2, 2, 2)
        assert found["in_force"]["recalibration"] == NUMBERS

        assert move(running, world, 1, 2).status_code == 200
        assert recalibrations(running, world)["in_force"] is None


def test_people_correct_clear_and_go_back_over_http_each_call_once(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running)
        said = {"actor": "ada", "reason": "it overestimates"}
        path = f"/models/{world.model}/recalibrations"

        def post(body, key=None):
            return running.client.post(path, json=said | body, headers={"Idempotency-Key": key} if key else {})

        first = post({"recalibration": NUMBERS}, key="once")
        assert (first.status_code, first.json()["epoch"]) == (200, 1)
        assert post({"recalibration": NUMBERS}, key="once").json() == first.json()
        stale = post({"recalibration": None, "expected_epoch": 0})
        assert (stale.status_code, "has changed since: epoch 1, expected 0" in stale.json()["reason"]) == (409, True)
        assert post({"recalibration": None, "champion_epoch": 7}).status_code == 409
        assert post({"recalibration": None}).json()["epoch"] == 2
        before = running.get("/digest")["offset"]
        assert post({"recalibration": None}).json()["accepted"]  # so already
        for wrong, status, words in (
            ({}, 422, "either recalibration"),
            ({"recalibration": NUMBERS, "to": 1}, 422, "either recalibration"),
            ({"recalibration": {"kind": "prior"}}, 422, "recalibration: "),
            ({"recalibration": NUMBERS | {"slope": -1}}, 409, "slope -1 does not lie"),
            ({"recalibration": {"kind": "shift", "strength": 1, "shift": 2}}, 409, "whose task is binary"),
            ({"to": 9}, 404, "2 records of recalibration, and none of epoch 9"),
        ):
            refused = post(wrong)
            assert (refused.status_code, words in json.dumps(refused.json())) == (status, True), refused.text
        assert running.get("/digest")["offset"] == before  # what is refused leaves no record
        assert post({"to": 1}).json()["epoch"] == 3
        assert recalibrations(running, world)["in_force"]["by"] == "ada"

        assert move(running, world, 2, 1).status_code == 200
        other = post({"to": 1})
        assert (other.status_code, "of version 1, and the champion is version 2" in other.text) == (409, True)


def test_people_do_the_same_on_the_commands(world, tmp_path):
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1)
        driftloop, name = commands(world, running, tmp_path), world.model

        done = driftloop("models", "recalibrate", name, "--numbers", json.dumps(NUMBERS), "--reason", "a [bold]test[/]", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["epoch"] == 1
        shown = driftloop("models", "recalibration", name).stdout
        assert "in force: epoch 1" in shown
        assert "intercept 0.2" in shown
        assert "[bold]test[/]" in shown
        assert driftloop("models", "recalibrate", name, "--clear", "--reason", "r").returncode == 0
        assert "in force: none" in driftloop("models", "recalibration", name).stdout
        assert driftloop("models", "recalibrate", name, "--to", "1", "--reason", "r").returncode == 0
        assert json.loads(driftloop("models", "recalibration", name, "--json").stdout)["in_force"]["epoch"] == 3
        for arguments, words in (
            (("--to", "1", "--clear"), "give one of --clear, --to EPOCH and --numbers JSON"),
            ((), "give one of"),
            (("--numbers", "{"), "--numbers: "),
            (("--to", "9"), "none of epoch 9"),
            (("--clear", "--expected-epoch", "1"), "has changed since: epoch 3, expected 1"),
        ):
            refused = driftloop("models", "recalibrate", name, *arguments, "--reason", "r")
            assert (refused.returncode, words in refused.stderr, "Traceback" in refused.stderr) == (2, True, False), refused.stderr
