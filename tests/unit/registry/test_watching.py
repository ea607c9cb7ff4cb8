"""Versions that are served elsewhere in the fold: who answers, and what that changes for versions of ours."""

import msgspec
import pytest
from tests.unit.registry.commands import (
    MODEL,
    NOW,
    WINDOW,
    approve,
    delete,
    digest,
    folded,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
)

from driftloop.contracts.commands import Recalibrate, RegisterProject, WatchVersion
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.watched import MOST_WATCHED, Reference
from driftloop.registry.fold import asks
from driftloop.registry.stored_state import decode_state, encode_state


def elsewhere() -> RegisterProject:
    return msgspec.structs.replace(register_project(), served_by="elsewhere")


def watch(served_as: str, *, command_id: str | None = None, reference: Reference | None = None) -> WatchVersion:
    return WatchVersion(
        command_id=command_id or f"watch-{served_as}",
        at=NOW,
        actor="registry",
        reason="traffic named it",
        model=MODEL,
        served_as=served_as,
        reference=reference,
    )


def reference(served_as: str = "a", profile: str = "profile") -> Reference:
    return Reference(window=WINDOW, rows=1000, profile=digest(profile), served_as=served_as)


def test_the_newest_version_that_traffic_names_is_champion() -> None:
    state, outcomes = folded(elsewhere(), watch("a"), watch("b"), watch("a", command_id="again"))
    model = state.models[MODEL]
    assert [(v.version, v.watched.served_as, v.pins) for v in model.versions if v.watched] == [(1, "a", None), (2, "b", None)]
    assert (outcomes[3].accepted, outcomes[3].version) == (True, 1)
    assert model.champion is not None
    assert (model.champion.version, model.champion_epoch) == (2, 2)
    assert model.watched_versions() == {"a": 1, "b": 2}


def test_a_chosen_reference_is_another_version_of_the_same_name_and_is_handed_on_to_the_next_name() -> None:
    state, _ = folded(elsewhere(), watch("a"), watch("a", command_id="chosen", reference=reference()), watch("b"))
    model = state.models[MODEL]
    assert model.watched_versions() == {"a": 2, "b": 3}
    assert [v.watched.reference for v in model.versions if v.watched] == [None, reference(), reference()]
    assert len({v.manifest for v in model.versions}) == 3
    assert model.champion_epoch == 3


def test_a_reference_of_a_version_that_does_not_answer_now_does_not_make_it_champion() -> None:
    state, outcomes = folded(elsewhere(), watch("a"), watch("b"), watch("a", command_id="chosen", reference=reference()))
    champion = state.models[MODEL].champion
    assert champion is not None
    assert champion.version == 2
    assert (outcomes[-1].accepted, outcomes[-1].version) == (True, 3)


def test_the_same_reference_twice_is_one_version() -> None:
    chosen = watch("a", command_id="chosen", reference=reference())
    state, outcomes = folded(elsewhere(), chosen, msgspec.structs.replace(chosen, command_id="repeated"))
    assert len(state.models[MODEL].versions) == 1
    assert outcomes[-1].reason == "version 1 already"


def test_a_project_that_driftloop_serves_has_no_such_versions() -> None:
    state, outcomes = folded(register_project(), watch("a"))
    assert "is served by driftloop" in outcomes[1].reason
    assert state.models[MODEL].versions == ()


@pytest.mark.parametrize("name", ["", "x" * 201, "two\nlines"])
def test_a_name_that_nobody_can_show_is_refused(name: str) -> None:
    assert not folded(elsewhere(), watch(name, command_id="w"))[1][1].accepted


def test_names_without_end_are_refused() -> None:
    many = [watch(f"v{n}") for n in range(MOST_WATCHED + 1)]
    _state, outcomes = folded(elsewhere(), *many)
    assert [outcome.accepted for outcome in outcomes[1:]] == [True] * MOST_WATCHED + [False]
    assert "does each record name a version of its own?" in outcomes[-1].reason
    again = watch("v0", command_id="chosen", reference=reference("v0"))
    assert folded(elsewhere(), *many, again)[1][-1].accepted


def test_a_version_of_ours_waits_for_a_person_before_it_takes_over_and_the_answering_can_be_given_back() -> None:
    ours = register_version("r1", against=1), promote("r1", epoch=1, measured=measured(against=1))
    state, outcomes = folded(elsewhere(), watch("a"), *ours)
    assert (outcomes[-1].waiting, outcomes[-1].accepted) == (True, False)
    assert state.models[MODEL].answered_elsewhere
    state, outcomes = folded(elsewhere(), watch("a"), *ours, approve(2), watch("b"))
    model = state.models[MODEL]
    assert model.champion is not None
    assert model.champion.version == 2
    assert not model.answered_elsewhere
    assert outcomes[-1].version == 3  # known, and not champion: ours answers
    state, _ = folded(elsewhere(), watch("a"), *ours, approve(2), move_alias(1, epoch=2, command_id="back"))
    assert state.models[MODEL].answered_elsewhere


def test_a_first_version_of_ours_does_not_take_over_by_itself() -> None:
    state, outcomes = folded(elsewhere(), register_version("r1"), promote("r1", epoch=0))
    assert outcomes[-1].waiting
    assert state.models[MODEL].answered_elsewhere


def test_what_the_gate_refuses_does_not_wait() -> None:
    ours = register_version("r1", against=1), promote("r1", epoch=1, measured=measured(against=1, gain_lower=-0.1))
    outcome = folded(elsewhere(), watch("a"), *ours)[1][-1]
    assert (outcome.waiting, outcome.accepted) == (False, False)


def test_their_answers_are_not_corrected() -> None:
    command = Recalibrate(
        command_id="r", at=NOW, actor="ada", reason="low", model=MODEL, version=1, champion_epoch=1, expected_epoch=0,
        recalibration=Recalibration(kind="shift", strength=1.0, shift=1.0),
    )  # fmt: skip
    assert "another system's" in folded(elsewhere(), watch("a"), command)[1][-1].reason


def test_a_version_that_is_compared_with_one_of_theirs_holds_it() -> None:
    ours = register_version("r1", against=1), promote("r1", epoch=1, measured=measured(against=1)), approve(2)
    outcomes = folded(elsewhere(), watch("a"), *ours, delete(1))[1]
    assert "cannot be rebuilt without it" in outcomes[-1].reason


def test_the_state_survives_as_bytes() -> None:
    state, _ = folded(elsewhere(), watch("a"), watch("a", command_id="chosen", reference=reference()))
    assert decode_state(encode_state(state)) == state
    assert decode_state(encode_state(state)).digest() == state.digest()


def test_projects_of_before_ask_for_what_they_asked_for() -> None:
    """The digest is kept in checkpoints: it must not change with a field that came later."""
    assert asks(register_project()).hex() == ASKED
    assert asks(elsewhere()) != asks(register_project())


ASKED = "61267f0398d29ca2c5f30fde85798659"
