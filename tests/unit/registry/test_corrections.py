"""A correction of the champion's answers is a record with its own epoch: gated, ended by every move of the champion, never a version."""

import pytest
from tests.unit.registry.commands import (
    MODEL,
    approve,
    folded,
    measured,
    move_alias,
    pins,
    promote,
    register_project,
    register_version,
    reject,
)
from tests.unit.registry.corrections import HALF, LOGIT, project, proposal, recalibrate

from driftloop.contracts.class_probabilities import MAX_NAMES_BYTES
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.values import PromotionRules
from driftloop.registry.dry_run import answer_without_record

CHAMPION = (project(), register_version("r1"), promote("r1", epoch=0))


def second(against=1, epoch=1):
    """The run that was measured while version 1 was champion."""
    made = register_version("r2")
    return type(made)(**{n: getattr(made, n) for n in made.__struct_fields__} | {"pins": pins(epoch, against=against)})


def after(*commands):
    state, outcomes = folded(*CHAMPION, *commands)
    return state.model(MODEL), outcomes[-1]


def test_a_person_puts_a_correction_in_force_and_ends_it_each_as_a_record_of_its_own():
    model, outcome = after(recalibrate(), recalibrate(None, command_id="clear", epoch=1))

    assert (outcome.accepted, outcome.version, outcome.epoch) == (True, 1, 2)
    assert model.recalibration_in_force is None
    assert [(r.epoch, r.recalibration, r.by, r.reason, r.request_id) for r in model.recalibrations.values()] == [
        (1, LOGIT, "ada", "it overestimates", None),
        (2, None, "ada", "it overestimates", None),
    ]
    assert len(model.versions) == 1


def test_a_run_puts_one_in_force_when_the_gate_says_yes():
    model, outcome = after(second(), recalibrate(HALF, proposal=proposal(HALF), request_id="r2"))

    assert outcome.accepted
    assert "clears the tolerance" in outcome.reason
    assert model.recalibration_in_force == HALF
    assert (model.recalibration.request_id, model.recalibration.reason) == ("r2", outcome.reason)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (recalibrate(proposal=proposal(gain_lower=-0.01), request_id="r2"), "does not clear the tolerance"),
        (recalibrate(proposal=proposal(gain_lower=None), request_id="r2"), "no window has judged"),
        (recalibrate(proposal=proposal(judged_rows=3), request_id="r2"), "fewer than"),
        (recalibrate(HALF, proposal=proposal(LOGIT), request_id="r2"), "about another correction"),
        (recalibrate(proposal=proposal(), request_id="r9"), "of no run that has become a version"),
        (recalibrate(proposal=proposal()), "of no run that has become a version"),
        (recalibrate(proposal=proposal(of="candidate"), request_id="r2"), "is about version 2, and not about version 1"),
        (recalibrate(proposal=proposal(), request_id="r1"), "measured while version None was champion"),
        (
            recalibrate(None, proposal=proposal(None, full=Recalibration(kind="shift", strength=1.0, shift=1.0)), request_id="r2"),
            "whose task is binary",
        ),
        (recalibrate(version=2), "has moved since: version 1 at epoch 1, expected version 2"),
        (recalibrate(champion_epoch=2), "has moved since"),
        (recalibrate(epoch=1), "has changed since: epoch 0, expected 1"),
        (recalibrate(request_id=""), "a request id has 1 to"),
        (recalibrate(request_id="x" * 300), "a request id has 1 to"),
        (recalibrate(Recalibration(kind="logit", strength=0.3, intercept=0.0, slope=1.0)), "cannot be: strength"),
        (recalibrate(Recalibration(kind="logit", strength=1.0, intercept=float("nan"), slope=1.0)), "no finite number"),
        (recalibrate(Recalibration(kind="shift", strength=1.0, shift=1.0)), "whose task is binary"),
        (recalibrate(model="rides"), "no project is registered"),
    ],
)
def test_what_cannot_be_or_is_not_sure_is_refused_with_the_reason(command, reason):
    state, _ = folded(*CHAMPION, second())
    before = state.model(MODEL)

    state, outcomes = folded(*CHAMPION, second(), command)

    assert outcomes[-1].refused
    assert reason in outcomes[-1].reason
    assert state.model(MODEL).recalibration == before.recalibration


def test_names_of_classes_are_bounded_since_every_record_is_kept():
    long = Recalibration(kind="priors", strength=1.0, classes=("x" * (MAX_NAMES_BYTES + 1),), weights=(2.0,))
    _, outcomes = folded(project(target="category"), *CHAMPION[1:], recalibrate(long))
    assert "names of classes of" in outcomes[-1].reason


def test_without_a_champion_there_is_nothing_to_correct():
    _, outcomes = folded(*CHAMPION[:2], recalibrate(champion_epoch=0))
    assert "no champion" in outcomes[-1].reason


def test_a_project_of_an_earlier_release_is_to_be_registered_again_first():
    _, outcomes = folded(register_project(), *CHAMPION[1:], recalibrate())
    assert "register it again" in outcomes[-1].reason


def test_where_a_person_is_asked_a_run_corrects_nothing_and_the_person_does():
    log = (project(rules=PromotionRules(approval="person")), register_version("r1"), move_alias(1, epoch=0, command_id="m"), second())
    state, outcomes = folded(*log, recalibrate(proposal=proposal(), request_id="r2"))
    assert outcomes[-1].refused
    assert "asks for a person" in outcomes[-1].reason

    state, outcomes = folded(*log, recalibrate(request_id="r2"))
    assert outcomes[-1].accepted
    assert state.model(MODEL).recalibration_in_force == LOGIT


def test_a_promotion_ends_it_and_a_way_back_does_not_bring_it_back():
    forth = (recalibrate(), register_version("r2"), promote("r2", epoch=1, measured=measured(against=1)))
    model, _ = after(*forth)
    assert (model.recalibration_in_force, model.recalibration_epoch) == (None, 1)

    model, _ = after(*forth, move_alias(1, epoch=2, command_id="back"))
    assert model.recalibration_in_force is None

    model, outcome = after(*forth, move_alias(1, epoch=2, command_id="back"), recalibrate(command_id="again", champion_epoch=3, epoch=1))
    assert (outcome.epoch, model.recalibration_in_force) == (2, LOGIT)


def test_a_promoted_version_takes_the_correction_that_its_own_run_proposes():
    run = (register_version("r2"), promote("r2", epoch=1, measured=measured(against=1)))
    model, outcome = after(*run, recalibrate(version=2, champion_epoch=2, proposal=proposal(of="candidate"), request_id="r2"))
    assert outcome.accepted
    assert model.recalibration_in_force == LOGIT


@pytest.mark.parametrize(("held", "asked"), [((), None), ((recalibrate(),), LOGIT)])
def test_what_is_so_already_is_accepted_and_leaves_no_record(held, asked):
    state, _ = folded(*CHAMPION, *held)
    command = recalibrate(asked, command_id="again", epoch=len(held))
    told = answer_without_record(state, command)

    assert told is not None
    assert (told.accepted, told.epoch) == (True, len(held))
    assert "already" in told.reason


def test_a_clock_that_goes_back_does_not_take_a_record_back_in_time():
    earlier = recalibrate(None, command_id="clear", epoch=1, at=CHAMPION[0].at.replace(year=2020))
    model, _ = after(recalibrate(), earlier)
    first, last = model.recalibrations.values()
    assert last.since == first.since


def test_a_log_without_a_recalibration_has_the_digest_that_releases_before_them_gave_it():
    state, _ = folded(
        register_project(rules=PromotionRules(approval="person")),
        register_version("r1"),
        promote("r1", epoch=0),
        approve(1),
        register_version("r2"),
        move_alias(7, epoch=1, command_id="refused"),
        reject(2),
        move_alias(1, epoch=1, command_id="m"),
    )
    assert state.digest() == "78272d6a3927a220f3390cb196846d0c2d5c75d60d453bae8b7f2975fab1986f"
