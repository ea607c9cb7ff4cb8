"""Going back, and giving versions up: nothing that is held goes, and nothing that was recorded."""

import pytest
from tests.unit.registry.commands import (
    MODEL,
    approve,
    delete,
    folded,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
    reject,
)

from driftloop.contracts.values import PromotionRules

THREE = (register_project(), register_version("r1"), promote("r1", epoch=0), register_version("r2", against=1), register_version("r3"))


def reigns(*versions):
    """The champion moved to these versions, one after the other, after version 1."""
    return (*THREE, *(move_alias(v, epoch=n, command_id=f"m{n}") for n, v in enumerate(versions, 1)))


@pytest.mark.parametrize(
    ("after", "back"),
    [
        ((), None),
        ((2,), 1),
        ((2, 3), 2),
        ((2, 3, 2), 1),  # one step back was made already: the next leads on, not to version 3 again
        ((2, 3, 2, 1), None),
        ((2, 1, 3), 1),
        ((2, 2), 1),
    ],
)
def test_a_step_back_leads_to_the_champion_before_the_present_one_first_came(after, back):
    state, _ = folded(*reigns(*after))

    assert state.model(MODEL).before("champion") == back


def test_an_alias_that_never_was_has_nothing_before_it():
    state, _ = folded(*reigns(2))

    assert state.model(MODEL).before("challenger") is None


def test_deleted_version_keeps_its_record_and_its_number():
    state, outcomes = folded(*THREE, delete(3), register_version("r4"), register_version("r3", command_id="again"))
    model = state.model(MODEL)

    assert outcomes[-3].accepted
    assert outcomes[-2].version == 4
    assert outcomes[-1].version == 3  # its request never gives another version
    assert model.version(3).request_id == "r3"
    assert (model.standings[3].by, model.standings[3].reason) == ("ada", "withdrawn rows")


@pytest.mark.parametrize("alias", ["champion", "challenger", "mine"])
def test_version_is_not_deleted_while_an_alias_points_at_it(alias):
    epoch = 1 if alias == "champion" else 0
    state, outcomes = folded(*THREE, move_alias(3, epoch=epoch, command_id="m", alias=alias), delete(3))

    assert not outcomes[-1].accepted
    assert f"version 3 is the {alias}" in outcomes[-1].reason
    assert state.model(MODEL).standings == {}


def test_version_is_not_deleted_while_it_waits_for_approval():
    project = register_project(rules=PromotionRules(approval="person"))
    waits = (project, register_version("r1"), promote("r1", epoch=0))
    _, refused = folded(*waits, delete(1))
    _, accepted = folded(*waits, reject(1), delete(1))

    assert "waits for approval: reject it first" in refused[-1].reason
    assert accepted[-1].accepted


def test_version_is_not_deleted_while_a_kept_one_was_measured_against_it():
    demoted = (*THREE, move_alias(3, epoch=1, command_id="m"))
    _, held = folded(*demoted, delete(1))
    _, freed = folded(*demoted, delete(2, command_id="d2"), delete(1))

    assert not held[-1].accepted
    assert "version 2 was pinned and measured while version 1 was champion" in held[-1].reason
    assert freed[-1].accepted


def test_version_that_claims_to_be_measured_against_itself_or_a_later_one_holds_nothing():
    _, outcomes = folded(register_project(), register_version("r1", against=1), register_version("r2"), delete(1))
    _, later = folded(register_project(), register_version("r1", against=2), register_version("r2"), delete(2))

    assert outcomes[-1].accepted
    assert later[-1].accepted


@pytest.mark.parametrize("version", [0, -1, 4, 10**30])
def test_unknown_version_is_not_deleted(version):
    _, outcomes = folded(*THREE, delete(version))

    assert not outcomes[-1].accepted
    assert "there is no version" in outcomes[-1].reason


def test_nothing_points_at_a_deleted_version_again():
    commands = (
        move_alias(3, epoch=1, command_id="m"),
        promote("r3", epoch=1, measured=measured(against=1)),
        approve(3),
        reject(3),
        delete(3, command_id="again"),
    )
    state, outcomes = folded(*THREE, delete(3), *commands)

    assert {outcome.reason for outcome in outcomes[-5:]} == {"version 3 was deleted by ada"}
    assert not any(outcome.accepted for outcome in outcomes[-5:])
    assert state.model(MODEL).champion.version == 1


def test_present_champion_cannot_be_deleted_but_the_one_before_can():
    _, outcomes = folded(*reigns(3), delete(3), delete(2, command_id="d2"), delete(1, command_id="d1"))

    assert [outcome.accepted for outcome in outcomes[-3:]] == [False, True, True]
