"""Stalls, gaps and versions that wait: seen when they last, told under one key, over when all is well again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from tests.unit.notifier.world import HOOK, MODEL, World, minutes, phases

from driftloop.client.samples import Sample, Samples
from driftloop.client.service_status import ServiceStatus
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.registry.records import ApprovalStatus
from driftloop.registry.state import ModelState, RegistryState
from driftloop_notifier.conditions import Condition
from driftloop_notifier.observed import Seen, Watch, approvals
from driftloop_notifier.rules import Addressee


def seen(
    state: str = "ready",
    *,
    told: Mapping[str, Any] | None = None,
    behind: float = 0,
    topic: str = "shop.labels",
    project: str | None = MODEL,
) -> Seen:
    status = ServiceStatus(
        instance="ingest-0", url="", state=state, says={"reason": "no lake"} if state == "not ready" else {}, project=project
    )
    samples = Samples({"driftloop_behind_seconds": [Sample({"topic": topic, "partition": "2"}, behind)]})
    return Seen(status, told or {}, None if state == "down" else samples)


def watched(watch: Watch, world: World, at: float, *now: Seen) -> list[Condition]:
    watch.look(now, minutes(at))
    return watch.conditions(world.begun(), minutes(at))


def test_a_restart_is_no_stall_and_what_lasts_is_told_once_until_it_is_over() -> None:
    world, watch = World(), Watch(timedelta(minutes=5))
    world.follow()
    assert watched(watch, world, 1, seen("down", project=None)) == []
    assert watched(watch, world, 3, seen()) == []
    assert watched(watch, world, 4, seen("down", project=None)) == []
    found = watched(watch, world, 9, seen("down", project=None))
    (opened,) = world.write(9, *found)
    assert (opened.event.text, opened.event.evidence["project"]) == ("ingest-0: does not answer", MODEL)
    assert world.write(10, *watched(watch, world, 10, seen("not ready"))) == [], "it is the same stall"
    (closed,) = world.write(11, *watched(watch, world, 11, seen()))
    assert (closed.event.opening, closed.event.phase) == (opened.id, "closed")
    assert watched(watch, world, 12, seen()) == []


def test_after_a_restart_of_the_notifier_a_stall_that_was_told_is_the_same_one() -> None:
    world, watch = World(), Watch(timedelta(minutes=5))
    world.follow()
    watched(watch, world, 0, seen("down"))
    world.write(6, *watched(watch, world, 6, seen("down")))
    after = Watch(timedelta(minutes=5))
    assert world.write(20, *watched(after, world, 20, seen("down"))) == []
    assert world.write(30, *watched(after, world, 30, seen("down"))) == []
    assert phases(world.write(31, *watched(after, world, 31, seen()))) == ["stall closed"]


def test_what_does_not_get_on_is_a_stall_and_a_long_training_is_none() -> None:
    world, watch = World(), Watch(timedelta(minutes=5))
    (found,) = watched(watch, world, 1, seen(behind=400))
    assert found.evidence["says"] == "has not got on with shop.labels[2] for 7 minutes"
    assert watched(Watch(timedelta(minutes=5)), world, 1, seen(behind=4000, topic="retrain-requests")) == []


def test_a_gap_is_told_at_once_and_is_not_over_while_the_service_is_started_again() -> None:
    world, watch = World(), Watch(timedelta(minutes=5))
    world.follow()
    gap = seen("not ready", told={"gap": "shop.requests[0] begins at 7, 3 was to be read"})
    (opened,) = world.write(1, *watched(watch, world, 1, gap))
    assert (opened.event.kind, opened.event.text) == (
        "gap",
        "ingest-0: has stopped at a gap: shop.requests[0] begins at 7, 3 was to be read",
    )
    for at in (2, 3, 10, 20):
        assert world.write(at, *watched(watch, world, at, seen("down" if at % 2 else "not ready"))) == []
    assert phases(world.write(21, *watched(watch, world, 21, seen()))) == ["gap closed"]


def registry(*standings: ApprovalStatus) -> RegistryState:
    return RegistryState(models={MODEL: ModelState(model=MODEL, standings={one.version: one for one in standings})})


def waiting(version: int) -> ApprovalStatus:
    return ApprovalStatus(model=MODEL, version=version, state="waiting", since=minutes(1), by="registry", reason="a gain of 0.02")


def test_a_version_that_waits_is_told_and_so_is_what_became_of_it() -> None:
    world = World(HOOK)
    world.follow()

    def told(at: float, state: RegistryState) -> list[str]:
        return [one.event.text for one in world.write(at, *approvals(state, world.begun(), minutes(at)))]

    assert told(2, registry(waiting(2), waiting(3))) == [
        "shop: version 2 waits for a person: a gain of 0.02",
        "shop: version 3 waits for a person: a gain of 0.02",
    ]
    assert told(3, registry(waiting(2), waiting(3))) == []
    rejected = msgspec.structs.replace(waiting(2), state="rejected", by="anna")
    assert told(4, registry(rejected)) == [
        "shop: version 2 waits no longer: rejected by anna",
        "shop: version 3 waits no longer: it, or another one, is champion",
    ]
    assert told(5, registry(rejected)) == []


def test_a_kill_between_two_ends_leaves_nobody_without_one_and_a_rule_that_is_gone_hides_no_new_stall() -> None:
    second = Addressee(MODEL, MODEL, NotifyRule(to="https://b.example"))
    world, watch = World(HOOK, second), Watch(timedelta(minutes=5))
    world.follow()
    watched(watch, world, 0, seen("down"))
    assert phases(world.write(6, *watched(watch, world, 6, seen("down")))) == ["stall opened", "stall opened"]
    assert phases(world.write(7, *watched(watch, world, 7, seen()), most=1)) == ["stall closed"]  # and the process dies
    assert phases(world.write(8, *watched(watch, world, 8, seen()))) == ["stall closed"]
    watched(watch, world, 10, seen("down"))
    assert phases(world.write(16, *watched(watch, world, 16, seen("down")))) == ["stall opened", "stall opened"]
    assert phases(world.write(17, *watched(watch, world, 17, seen()), most=1)) == ["stall closed"]
    world.addressees = (HOOK,)
    world.write(18, *watched(watch, world, 18, seen()))
    watched(watch, world, 20, seen("down"))
    assert phases(world.write(26, *watched(watch, world, 26, seen("down")))) == ["stall opened"]
