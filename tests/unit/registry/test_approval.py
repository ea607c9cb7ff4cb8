"""Where a project asks for a person: the gate's yes waits, and only a person's word moves the champion."""

import pytest
from tests.unit.registry.commands import (
    MODEL,
    approve,
    folded,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
    reject,
)

from driftloop.contracts.values import PromotionRules

BY_PERSON = register_project(rules=PromotionRules(approval="person"))
FIRST_WAITS = (BY_PERSON, register_version("r1"), promote("r1", epoch=0))
SECOND_WAITS = (*FIRST_WAITS, approve(1), register_version("r2", against=1), promote("r2", epoch=1, measured=measured(against=1)))


def test_version_that_passes_the_gate_waits_and_moves_nothing():
    state, outcomes = folded(*SECOND_WAITS)
    model = state.model(MODEL)

    assert (outcomes[-1].accepted, outcomes[-1].waiting) == (False, True)
    assert outcomes[-1].reason.startswith("waiting for approval by a person: roc_auc 0.7200 against 0.7000")
    assert model.state_of(2) == "waiting"
    assert (model.standings[2].champion_version, model.standings[2].champion_epoch) == (1, 1)
    assert model.champion.version == 1


def test_version_that_fails_the_gate_does_not_wait():
    state, outcomes = folded(*SECOND_WAITS[:-1], promote("r2", epoch=1, measured=measured(against=1, gain_lower=-0.1)))

    assert not outcomes[-1].waiting
    assert state.model(MODEL).standings == {}


def test_nothing_waits_where_approval_is_automatic():
    state, outcomes = folded(register_project(), *FIRST_WAITS[1:])

    assert outcomes[-1].accepted
    assert not outcomes[-1].waiting
    assert state.model(MODEL).standings == {}


def test_approved_version_is_champion_and_waits_no_longer():
    state, outcomes = folded(*SECOND_WAITS, approve(2, command_id="yes"))
    model = state.model(MODEL)

    assert outcomes[-1].accepted
    assert (outcomes[-1].version, outcomes[-1].epoch) == (2, 2)
    assert model.champion.version == 2
    assert model.standings == {}


def test_approval_is_refused_when_the_champion_has_moved_since_the_measurements():
    moved = move_alias(1, epoch=1, command_id="m")  # to the same version: still another reign than the measured one
    state, outcomes = folded(*SECOND_WAITS, moved, approve(2, command_id="yes"))

    assert not outcomes[-1].accepted
    assert "the champion has moved since version 2 was measured: epoch 2, measured at 1" in outcomes[-1].reason
    assert state.model(MODEL).champion.version == 1
    assert state.model(MODEL).state_of(2) == "waiting"


@pytest.mark.parametrize("say", [approve, reject])
@pytest.mark.parametrize(("version", "reason"), [(1, "not waiting"), (9, "no version 9"), (0, "no version"), (-1, "no version")])
def test_only_a_waiting_version_is_approved_or_rejected(say, version, reason):
    _, outcomes = folded(*SECOND_WAITS, say(version, command_id="say"))

    assert not outcomes[-1].accepted
    assert reason in outcomes[-1].reason


def test_of_two_people_the_second_hears_what_the_first_decided():
    _, approved_twice = folded(*SECOND_WAITS, approve(2, command_id="a"), approve(2, command_id="b"))
    _, rejected_first = folded(*SECOND_WAITS, reject(2), approve(2, command_id="b"))

    assert approved_twice[-1].reason == "version 2 is not waiting for approval"
    assert rejected_first[-1].reason == "version 2 was rejected by ada"


def test_rejected_version_is_not_put_to_the_gate_again():
    again = promote("r2", epoch=1, measured=measured(against=1), command_id="again")
    state, outcomes = folded(*SECOND_WAITS, reject(2), again)

    assert outcomes[-2].accepted
    assert outcomes[-1].reason == "version 2 was rejected by ada"
    assert state.model(MODEL).standings[2].reason == "a broken sensor"
    assert state.model(MODEL).champion.version == 1


def test_person_may_still_move_the_champion_to_a_waiting_or_rejected_version():
    waiting, _ = folded(*SECOND_WAITS, move_alias(2, epoch=1, command_id="m"))
    rejected, _ = folded(*SECOND_WAITS, reject(2), move_alias(2, epoch=1, command_id="m"))

    for state in (waiting, rejected):
        assert state.model(MODEL).champion.version == 2
        assert state.model(MODEL).standings == {}


def test_challenger_that_waits_for_approval_goes_on_waiting():
    state, _ = folded(*SECOND_WAITS, move_alias(2, epoch=0, command_id="m", alias="challenger"))

    assert state.model(MODEL).state_of(2) == "waiting"


def test_candidate_measured_against_a_newer_champion_waits_anew():
    again = promote("r2", epoch=2, measured=measured(against=1), command_id="again")
    state, outcomes = folded(*SECOND_WAITS, move_alias(1, epoch=1, command_id="m"), again, approve(2, command_id="yes"))

    assert outcomes[-1].accepted
    assert state.model(MODEL).champion_epoch == 3
