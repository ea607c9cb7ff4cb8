"""Another policy over recorded decisions: side by side, without fitting, whatever order the record is in."""

import random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from tests.unit.monitoring.test_policy import EVERY_WINDOW, published, run, seen

from driftloop.contracts.events import DecisionMade
from driftloop.monitoring.replay import replay
from driftloop.project.rules import Policy

WEEKLY = Policy(triggers=("schedule",), schedule="3d", min_new_labels=100)


def record(policy: Policy = EVERY_WINDOW, days: int = 9, **evidence) -> list[DecisionMade]:
    made = published(run(policy, *(seen(day, **evidence) for day in range(days))))
    return [msgspec.structs.replace(d, request_id=f"r{n}" if d.accepted else None) for n, d in enumerate(made)]


def test_the_recorded_policy_decides_as_it_did():
    found = replay("m", EVERY_WINDOW, record())
    assert (found.recorded_attempts, found.replayed_attempts, found.differing) == (9, 9, 0)
    assert found.rule == record()[0].rule
    assert all(each.reason == each.recorded_reason for each in found.decisions)


def test_another_policy_is_shown_side_by_side():
    found = replay("m", WEEKLY, record())
    assert (found.recorded_attempts, found.replayed_attempts, found.differing) == (9, 3, 6)
    assert [each.replayed for each in found.decisions] == [False, False, True] * 3
    assert found.decisions[2].trigger == "schedule"
    assert "no moment has come" in found.decisions[0].reason


def test_runs_that_the_recorded_policy_asked_for_hold_the_other_one_back_no_more_than_they_did_people_s_do():
    made = record()
    its_own = msgspec.structs.replace(made[2], evidence=made[2].evidence | {"runs_in_flight": ["r1"]})
    peoples = msgspec.structs.replace(made[5], evidence=made[5].evidence | {"runs_in_flight": ["someone"]})
    found = replay("m", WEEKLY, [*made[:2], its_own, *made[3:5], peoples, *made[6:]])
    assert [each.replayed for each in found.decisions] == [False, False, True, False, False, False, True, False, True]


def test_a_dry_run_is_a_yes_on_either_side():
    dry = msgspec.structs.replace(EVERY_WINDOW, dry_run=True)
    assert replay("m", EVERY_WINDOW, record(dry)).differing == 0
    assert replay("m", dry, record()).differing == 0


def test_other_models_promotions_and_second_decisions_on_a_window_are_left_out():
    made = record()
    others = [
        msgspec.structs.replace(made[0], model="other"),
        msgspec.structs.replace(made[0], kind="promote", evidence={}),
        msgspec.structs.replace(made[1], accepted=False),
        msgspec.structs.replace(made[0], window=None, evidence={}),
    ]
    assert replay("m", EVERY_WINDOW, [*made, *others]) == replay("m", EVERY_WINDOW, made)


def test_a_decision_without_evidence_is_refused():
    bare = msgspec.structs.replace(record()[0], evidence={"new_labels": 3})
    with pytest.raises(msgspec.ValidationError):
        replay("m", EVERY_WINDOW, [bare])


@settings(deadline=None)
@given(st.randoms())
def test_a_record_in_any_order_is_replayed_alike(order: random.Random):
    shuffled = record()
    order.shuffle(shuffled)
    assert replay("m", WEEKLY, shuffled) == replay("m", WEEKLY, record())
