"""What was refused is remembered in little space, and answered as it was the first time."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from driftloop.registry import entries
from driftloop.registry.dry_run import MAX_ALIASES, answer_without_record
from driftloop.registry.fold import fold
from driftloop.registry.outcomes import MAX_ACTOR_LENGTH, MAX_ID_LENGTH, MAX_REASON_LENGTH
from driftloop.registry.refused_ids import RefusedIds

CHAMPION = (register_project(), register_version("r1"), promote("r1", epoch=0))
REFUSED = 3 * entries.MAX_REFUSED


def flooded():
    """A log in which thousands of moves came too late, each with two thousand characters of reason."""
    moves = [move_alias(1, epoch=99, command_id=f"late-{n}") for n in range(REFUSED)]
    return folded(*CHAMPION, *(msgspec.structs.replace(move, reason="x" * 2000) for move in moves))


def test_refused_commands_take_bounded_space_and_a_few_bytes_for_ever():
    state, outcomes = flooded()

    assert not any(outcome.accepted for outcome in outcomes[3:])
    remembered = [entry for entry in state.model(MODEL).history.values() if entry.outcome.refused]
    assert [entry.command_id for entry in remembered] == [f"late-{n}" for n in range(REFUSED - entries.MAX_REFUSED, REFUSED)]
    assert sum(map(len, state.answers.refused._runs)) == 32 * REFUSED
    assert len(state.answers.answered) == len(CHAMPION)


def test_command_that_was_refused_long_ago_is_refused_again_though_it_would_now_be_accepted():
    state, outcomes = folded(*CHAMPION, early := move_alias(1, epoch=3, command_id="early"), *others(REFUSED), *forth(2))

    assert state.model(MODEL).champion_epoch == 3
    again, outcome = fold(state, early, state.next_offset)
    assert not outcomes[3].accepted
    assert not outcome.accepted
    assert "was refused before, at offset 3" in outcome.reason
    assert again.model(MODEL).champion_epoch == 3


def test_command_that_was_refused_lately_gets_its_first_outcome_in_full():
    state, outcomes = folded(*CHAMPION, late := move_alias(1, epoch=3, command_id="late"), *others(5), *forth(2))

    assert fold(state, late, state.next_offset)[1] == outcomes[3]
    assert state.outcome("late") == outcomes[3]


def test_refused_command_about_an_unknown_model_is_remembered_too():
    stray = move_alias(1, epoch=0, command_id="stray", model="nobodys")
    state, outcomes = folded(stray, *CHAMPION)

    assert state.outcome("stray") == outcomes[0]
    assert fold(state, stray, state.next_offset)[1] == outcomes[0]
    assert [entry.command_id for entry in state.strays.values()] == ["stray"]


def test_another_command_under_a_known_id_is_judged_on_its_own():
    """Ids of the registry's own commands can be worked out; who takes one first must not decide what becomes of a candidate."""
    stolen = move_alias(7, epoch=1, command_id="promote-r2")
    honest = promote("r2", epoch=1, measured=measured(against=1), command_id="promote-r2")
    state, outcomes = folded(*CHAMPION, register_version("r2"), stolen, honest, honest)

    assert [outcome.accepted for outcome in outcomes[4:]] == [False, True, True]
    assert outcomes[5] == outcomes[6]
    assert state.model(MODEL).champion_epoch == 2


def test_same_id_and_wish_from_somebody_else_at_another_time_is_a_repeat():
    first = move_alias(1, epoch=1, command_id="m")
    state, outcomes = folded(*CHAMPION, first, msgspec.structs.replace(first, actor="bob", reason="again", at=first.at.replace(year=2030)))

    assert outcomes[3] == outcomes[4]
    assert state.model(MODEL).champion_epoch == 2


def test_accepted_commands_under_one_id_keep_their_outcomes():
    first, second = move_alias(1, epoch=1, command_id="one"), move_alias(1, epoch=2, command_id="one")
    _, outcomes = folded(*CHAMPION, first, second, first, second)

    assert [outcome.epoch for outcome in outcomes[3:]] == [2, 3, 2, 3]


def test_states_that_have_forgotten_different_refusals_have_different_digests():
    one, _ = folded(*CHAMPION, move_alias(1, epoch=5, command_id="a"), *others(REFUSED))
    other, _ = folded(*CHAMPION, move_alias(1, epoch=5, command_id="b"), *others(REFUSED))

    assert list(one.model(MODEL).history.values()) == list(other.model(MODEL).history.values())
    assert one.digest() != other.digest()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.binary(min_size=8, max_size=8)), max_size=200))
def test_refused_ids_find_what_was_added_and_nothing_else(added):
    ids, first = RefusedIds(), {}
    for offset, (command_id, asks) in enumerate(added):
        ids = ids.added(command_id, asks, offset)
        first.setdefault((command_id, asks), offset)

    assert len(ids) == len(added)
    assert all(ids.offset_of(*wish) == offset for wish, offset in first.items())
    for command_id in "abcdefghi":
        assert ids.first_of(command_id) == min((o for (name, _), o in first.items() if name == command_id), default=None)
    assert ids.offset_of("z", b"12345678") is None


def test_a_call_that_is_refused_or_changes_nothing_needs_no_record():
    state, _ = folded(*CHAMPION)
    again = register_project("again")

    assert not answer_without_record(state, move_alias(1, epoch=9, command_id="late")).accepted
    assert not answer_without_record(state, delete(1)).accepted
    assert answer_without_record(state, again).accepted
    assert answer_without_record(state, CHAMPION[1]).version == 1
    assert answer_without_record(state, move_alias(1, epoch=1, command_id="m")) is None


def test_what_waits_for_a_person_needs_a_record():
    state, _ = folded(register_project(rules=PromotionRules(approval="person")), register_version("r1"))

    assert answer_without_record(state, promote("r1", epoch=0)) is None
    assert not answer_without_record(state, approve(1)).accepted


def test_callers_may_make_sixteen_aliases_of_a_model_and_move_those_that_there_are():
    aliases = [move_alias(1, epoch=0, command_id=f"a{n}", alias=f"a{n}") for n in range(MAX_ALIASES - 1)]
    state, _ = folded(*CHAMPION, *aliases)

    refused = answer_without_record(state, move_alias(1, epoch=0, command_id="more", alias="more"))
    assert not refused.accepted
    assert "16 are the most" in refused.reason
    assert answer_without_record(state, move_alias(1, epoch=1, command_id="move", alias="a3")) is None


def test_log_that_holds_more_aliases_keeps_them():
    aliases = [move_alias(1, epoch=0, command_id=f"a{n}", alias=f"a{n}") for n in range(50)]
    state, outcomes = folded(*CHAMPION, *aliases)

    assert all(outcome.accepted for outcome in outcomes)
    assert len(state.model(MODEL).aliases) == 51


def others(n):
    return [move_alias(1, epoch=99, command_id=f"other-{i}") for i in range(n)]


def forth(n):
    return [move_alias(1, epoch=1 + i, command_id=f"forth-{i}") for i in range(n)]


def test_the_first_command_under_an_id_is_its_outcome_also_when_it_was_refused_and_a_later_one_was_not():
    state, outcomes = folded(*CHAMPION, move_alias(1, epoch=9, command_id="k"), move_alias(1, epoch=0, command_id="k", alias="challenger"))

    assert [outcome.accepted for outcome in outcomes[3:]] == [False, True]
    assert state.outcome("k") == outcomes[3]


@pytest.mark.parametrize(("stored", "chain"), [(b"x", "aa"), (bytes(32), ""), (b"", "aa")])
def test_bytes_that_are_no_set_of_refused_commands_are_refused(stored: bytes, chain: str):
    with pytest.raises(ValueError, match="no set of refused commands"):
        RefusedIds.of(stored, chain)


def test_a_command_that_was_done_is_answered_as_it_was_also_where_it_would_be_refused_now():
    state, outcomes = folded(*CHAMPION, move_alias(1, epoch=0, command_id="k", alias="challenger"))

    assert answer_without_record(state, move_alias(1, epoch=0, command_id="k", alias="challenger")) == outcomes[3]
    assert outcomes[3].accepted


def test_words_of_any_length_that_came_past_the_registry_are_cut_short_and_an_id_too_long_is_none():
    long = msgspec.structs.replace(move_alias(1, epoch=99, command_id="k"), reason="x" * 10**6, actor="y" * 10**6)
    state, outcomes = folded(*CHAMPION, long, msgspec.structs.replace(move_alias(1, epoch=1, command_id="z" * 10**6), version=1))

    *_, first, second = state.model(MODEL).history.values()
    assert (len(first.reason), len(first.actor)) == (MAX_REASON_LENGTH, MAX_ACTOR_LENGTH)
    assert (outcomes[4].accepted, len(second.command_id)) == (False, MAX_ID_LENGTH + 1)
