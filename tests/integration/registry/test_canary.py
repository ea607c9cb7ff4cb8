"""A canary on the real log: the gate begins it, what is measured takes it to champion or back, each step one record and one decision."""

from tests.integration.registry.moves import set_up
from tests.integration.registry.registry_process import commands, registry
from tests.support.waiting import wait_until
from tests.unit.registry.canaries import window
from tests.unit.registry.commands import measured

from driftloop.adapters.kafka import Producer, Publisher
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import CanaryMeasured
from driftloop.contracts.topics import PERFORMANCE_REPORTS


def tell(world, *windows, version=2):
    """As the monitor does, as often as called; returns the id of the decision to come."""
    last = windows[-1]
    event = CanaryMeasured(
        model=world.model,
        stream=world.model,
        version=version,
        epoch=last.epoch,
        window=last.window,
        windows=windows,
        alpha=0.05,
        tolerance=0.0,
    )
    cause = world.model, version, last.epoch, last.window.start, last.window.end
    producer = Producer(world.bootstrap, client_id="test-monitor")
    Publisher(producer, source="driftloop/monitor").publish(PERFORMANCE_REPORTS, event, key=world.model, id=caused_id("told", *cause))
    producer.close()
    name = caused_id("decision", "judge-canary", *cause)
    wait_until(lambda: name in world.decisions(), f"the decision on {last.window.start}")
    return world.decisions()[name][0]


def canary_of(running, world):
    found = running.get(f"/models/{world.model}")
    return None if found["canary"] is None else (found["canary"]["version"], found["canary"]["share"]), found["champion"]


def test_gate_begins_it_and_windows_without_an_alarm_take_it_to_champion(world, tmp_path):
    project = world.project(canary=("10 %", "50 %"))
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=1, project=project)
        world.train(f"{world.model}-r2", epoch=1, measured=measured(against=1))
        decision = world.decision(f"{world.model}-r2")
        assert not decision.accepted
        assert decision.reason.startswith("canary begins at 10 %: ")
        assert canary_of(running, world) == ((2, 1000), 1)

        assert not tell(world, window(0, rows=20)).accepted  # too few rows
        assert tell(world, window(0, rows=20), window(1)).accepted
        assert canary_of(running, world) == ((2, 5000), 1)
        tell(world, window(0, rows=20), window(1))  # told again: nothing more
        assert canary_of(running, world) == ((2, 5000), 1)

        before = running.get("/digest")
        assert before["digest"] == before["view_digest"]

    with registry(world, tmp_path, name="registry-1") as running:  # folded anew from the log
        assert running.get("/digest") == before
        last = tell(world, window(1), window(2, epoch=2))
        assert last.accepted
        assert "no loss alarm" in last.reason
        assert last.evidence["by"] == "canary"
        assert canary_of(running, world) == (None, 2)
        records = running.get(f"/models/{world.model}")["canaries"]
        assert [(r["epoch"], r["state"], r["share"]) for r in records] == [(1, "begun", 1000), (2, "next", 5000), (3, "completed", 0)]
        told = running.get(f"/models/{world.model}/history")
        judged = [entry["outcome"]["accepted"] for entry in told if entry["type"] == "driftloop.move-canary.v1"]
        assert judged == [False, True, True]


def test_loss_alarm_steps_it_back_and_people_move_it_by_command(world, tmp_path):
    project = world.project(canary=("10 %", "50 %"))
    with registry(world, tmp_path) as running:
        set_up(world, running, versions=2, project=project)
        driftloop = commands(world, running, tmp_path)
        begun = driftloop("models", "canary", world.model, "--start", "2", "--reason", "a look at it")
        assert begun.returncode == 0, begun.stderr
        assert "the canary of version 2 at 10 % of the entities" in begun.stdout
        assert driftloop("models", "canary", world.model, "--next", "--reason", "more of it").returncode == 0
        assert canary_of(running, world) == ((2, 5000), 1)
        assert "canaries of" in driftloop("models", "show", world.model).stdout

        decision = tell(world, window(0, epoch=2, difference=0.2))
        assert decision.accepted
        assert "steps back: loss +0.2000 beside the champion's" in decision.reason
        assert canary_of(running, world) == (None, 1)

        refused = driftloop("models", "canary", world.model, "--next", "--reason", "once more")
        assert refused.returncode == 2
        assert "has no canary" in refused.stderr
        shown = driftloop("models", "canary", world.model)
        assert "stepped-back" in shown.stdout
