"""A canary is a fold of its records: begun, moved on, stepped back or champion, each once, and ended by every move of the champion."""

import msgspec
import pytest
from tests.unit.registry.canaries import CHAMPION, STEPS, move, window
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
)

from driftloop.contracts.values import PromotionRules
from driftloop.registry.stored_state import decode_state, encode_state


def after(*commands):
    state, outcomes = folded(*CHAMPION, *commands)
    return state.model(MODEL), outcomes[-1]


def shares(model):
    return [(record.epoch, record.version, record.state, record.share) for record in model.canaries.values()]


def test_a_version_that_the_gate_agrees_to_begins_as_a_canary_and_the_champion_stays():
    model, outcome = after(promote("r2", epoch=1, measured=measured(against=1)))

    assert outcome.waiting
    assert not outcome.accepted
    assert outcome.reason.startswith("canary begins at 1 %: ")
    assert (model.champion.version, model.champion_epoch) == (1, 1)
    assert shares(model) == [(1, 2, "begun", 100)]
    assert model.canary.steps == STEPS


def test_without_steps_it_is_champion_at_once_and_so_is_a_first_version():
    state, outcomes = folded(register_project(), *CHAMPION[1:], promote("r2", epoch=1, measured=measured(against=1), command_id="p2"))
    assert outcomes[-1].accepted
    assert state.model(MODEL).champion.version == 2
    assert after()[0].champion.version == 1


def test_a_person_takes_it_through_all_steps_and_the_last_one_makes_it_champion():
    model, outcome = after(move("begin"), move("next", epoch=1), move("next", epoch=2), move("next", epoch=3))

    assert outcome.accepted
    assert shares(model) == [(1, 2, "begun", 100), (2, 2, "next", 1000), (3, 2, "next", 5000), (4, 2, "completed", 0)]
    assert (model.champion.version, model.champion_epoch) == (2, 2)
    assert model.canary is None
    entry = next(model.history.newest())
    assert (entry.alias, entry.moved.version, entry.canary.state) == ("champion", 2, "completed")
    assert [(r.by, r.reason, r.began) for r in model.canaries.values()] == [("ada", "let us see", 1)] * 4


def test_a_person_stops_it_and_may_begin_again():
    model, _ = after(move("begin"), move("end", epoch=1), move("begin", epoch=2))
    assert shares(model) == [(1, 2, "begun", 100), (2, 2, "stopped", 0), (3, 2, "begun", 100)]
    assert model.canary.began == 3


def test_a_loss_alarm_steps_it_back_with_the_figures_on_record():
    model, outcome = after(move("begin"), move("judge", epoch=1, windows=(window(difference=0.05, error=0.01),)))
    assert outcome.accepted
    assert "steps back: loss +0.0500 beside the champion's" in outcome.reason
    assert shares(model)[-1] == (2, 2, "stepped-back", 0)
    assert model.canary is None
    assert model.champion.version == 1
    assert model.last_canary.windows == (window(difference=0.05, error=0.01),)


def test_without_an_alarm_it_goes_on_by_itself_until_it_is_champion():
    commands = [move("begin")]
    for epoch in (1, 2, 3):
        seen = tuple(window(n, epoch=n + 1) for n in range(epoch))
        commands.append(move("judge", epoch=epoch, windows=seen))
    model, outcome = after(*commands)
    assert outcome.accepted
    assert [state for _, _, state, _ in shares(model)] == ["begun", "next", "next", "completed"]
    assert model.champion.version == 2


def test_windows_of_the_step_before_do_not_count_for_the_next_one():
    model, outcome = after(move("begin"), move("judge", epoch=1, windows=(window(),)), move("judge", epoch=2, windows=(window(),)))
    assert outcome.refused
    assert "stays: 0 windows and 0 labelled rows of the 1 window and 50 labelled rows" in outcome.reason
    assert model.canary.share == 1000


@pytest.mark.parametrize(
    "command",
    [
        move("begin", version=9),
        move("begin", version=1),
        move("begin", epoch=1),
        move("begin", champion_epoch=2),
        move("next"),
        move("end"),
        move("judge", windows=(window(),)),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(command):
    before, _ = after()
    model, outcome = after(command)
    assert outcome.refused
    assert (list(model.canaries.values()), model.champion) == ([], before.champion)


def test_one_at_a_time_and_a_candidate_of_the_gate_waits_for_its_end():
    model, outcome = after(move("begin"), register_version("r3"), promote("r3", epoch=1, measured=measured(against=1)))
    assert outcome.refused
    assert "the canary of version 2 at 1 % comes first" in outcome.reason
    assert model.canary.version == 2

    _, outcome = after(move("begin"), register_version("r3"), move("begin", version=3, epoch=1))
    assert outcome.refused
    assert "--stop" in outcome.reason


def test_every_move_of_the_champion_ends_it_and_it_does_not_come_back():
    away = (move("begin"), register_version("r3"), move_alias(3, epoch=1, command_id="m"))
    assert after(*away)[0].canary is None
    assert after(*away, move_alias(1, epoch=2, command_id="back"))[0].canary is None


def test_it_is_not_deleted_while_it_answers():
    _, outcome = after(move("begin"), delete(2))
    assert outcome.refused
    assert "is under way: end it first" in outcome.reason


def test_a_persons_yes_begins_it_and_nobody_is_asked_again():
    rules = PromotionRules(min_rows=50, canary=STEPS, approval="person")
    first = (register_project(rules=rules), *CHAMPION[1:3], approve(1, command_id="first"), CHAMPION[3])
    state, outcomes = folded(*first, promote("r2", epoch=1, measured=measured(against=1), command_id="p2"), approve(2))
    model = state.model(MODEL)
    assert outcomes[-1].accepted
    assert "canary begins at 1 %" in outcomes[-1].reason
    assert (model.canary.version, model.champion.version, model.state_of(2)) == (2, 1, None)


def test_a_command_that_is_repeated_is_done_once():
    model, outcome = after(move("begin"), move("begin"))
    assert outcome.accepted
    assert len(model.canaries) == 1


def test_steps_that_cannot_be_are_refused_with_the_project():
    _, outcomes = folded(register_project(rules=PromotionRules(canary=("10 %", "1 %"))))
    assert outcomes[-1].refused
    assert "promotion.canary" in outcomes[-1].reason


def test_a_state_on_disk_goes_on_with_it():
    state, _ = folded(*CHAMPION, move("begin"), move("next", epoch=1))
    again = decode_state(encode_state(state))
    assert again.digest() == state.digest()
    assert list(again.model(MODEL).canaries.values()) == list(state.model(MODEL).canaries.values())
    assert again.model(MODEL).canary == state.model(MODEL).canary


def test_a_log_without_one_has_the_digest_of_before():
    state, _ = folded(register_project(), *CHAMPION[1:])
    model = state.model(MODEL)
    assert b"canar" not in msgspec.json.encode([model.project, list(model.history.values())])
