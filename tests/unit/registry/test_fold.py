import time
from datetime import timedelta

import msgspec
import pytest
from tests.unit.registry.commands import (
    MODEL,
    NOW,
    digest,
    folded,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
)

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.values import PromotionRules
from driftloop.registry.fold import RegistryState, fold
from driftloop.registry.outcomes import MAX_ID_LENGTH
from driftloop.registry.records import ApprovalStatus

FIRST_CHAMPION = (register_project(), register_version("r1"), promote("r1", epoch=0))


def test_first_version_becomes_champion_without_measurements():
    state, outcomes = folded(*FIRST_CHAMPION)

    assert outcomes[-1].accepted
    assert (outcomes[-1].version, outcomes[-1].epoch) == (1, 1)
    assert state.model(MODEL).champion.request_id == "r1"


def test_same_archive_again_is_accepted_and_changes_nothing():
    once, _ = folded(register_project())
    twice, outcomes = folded(register_project(), register_project("again"))

    assert outcomes[1].accepted
    assert twice.model(MODEL).project == once.model(MODEL).project


def test_new_archive_becomes_the_projects_current_one():
    state, _ = folded(*FIRST_CHAMPION, register_project("project-2", archive="other"))

    assert state.model(MODEL).project.archive == digest("other")
    assert state.model(MODEL).champion.version == 1


def test_a_stream_has_one_model_and_a_model_one_stream():
    second = msgspec.structs.replace(register_project("second", model="other"), stream=MODEL)
    moved = msgspec.structs.replace(register_project("moved", archive="new"), stream="elsewhere")
    state, outcomes = folded(register_project(), second, moved)

    assert [outcome.accepted for outcome in outcomes] == [True, False, False]
    assert "has the model 'flights' already" in outcomes[1].reason
    assert "are made of stream 'flights'" in outcomes[2].reason
    assert state.model("other") is None
    assert state.model(MODEL).project.archive == digest("archive")


def test_model_without_a_project_takes_no_version():
    state, outcomes = folded(register_version("r1"))

    assert not outcomes[0].accepted
    assert state.models == {}


@pytest.mark.parametrize("name", ["..", "a/b", "A", "a\x00", "abc\n", "x" * 10_000, ""])
def test_hostile_model_name_is_refused(name):
    state, outcomes = folded(register_project(model=name))

    assert not outcomes[0].accepted
    assert state.models == {}


@pytest.mark.parametrize(("command_id", "accepted"), [("", False), ("x" * (MAX_ID_LENGTH + 1), False), ("x" * MAX_ID_LENGTH, True)])
def test_a_command_id_has_a_bounded_length(command_id, accepted):
    _, outcomes = folded(register_project(command_id))

    assert outcomes[0].accepted == accepted
    assert accepted or f"1 to {MAX_ID_LENGTH} characters" in outcomes[0].reason


@pytest.mark.parametrize("field", ["archive", "schema_fingerprint"])
def test_what_is_no_digest_is_no_archive_and_no_schema(field):
    _, outcomes = folded(msgspec.structs.replace(register_project(), **{field: "../../../etc"}))

    assert (outcomes[0].accepted, outcomes[0].reason) == (False, "archive and schema_fingerprint must be sha256 digests")


def test_a_manifest_that_is_no_digest_makes_no_version():
    state, outcomes = folded(register_project(), msgspec.structs.replace(register_version("r1"), manifest="../../x"))

    assert (outcomes[1].accepted, outcomes[1].reason) == (False, "manifest must be a sha256 digest")
    assert state.model(MODEL).versions == ()


def test_hostile_alias_name_is_refused():
    state, outcomes = folded(*FIRST_CHAMPION, move_alias(1, epoch=0, command_id="m", alias="../x"))

    assert not outcomes[-1].accepted
    assert set(state.model(MODEL).aliases) == {"champion"}


def test_one_request_gives_one_version_however_often_it_is_registered():
    state, outcomes = folded(register_project(), register_version("r1"), register_version("r1", command_id="another"))

    assert all(outcome.accepted for outcome in outcomes)
    assert [outcome.version for outcome in outcomes] == [None, 1, 1]
    assert len(state.model(MODEL).versions) == 1


def test_same_request_with_another_manifest_is_refused():
    _, outcomes = folded(register_project(), register_version("r1"), register_version("r1", command_id="c", manifest="another"))

    assert not outcomes[2].accepted
    assert "another manifest" in outcomes[2].reason


def test_retry_of_a_command_gets_its_first_outcome_even_when_it_would_now_be_refused():
    state, outcomes = folded(*FIRST_CHAMPION, move_alias(1, epoch=1, command_id="m"), FIRST_CHAMPION[-1])

    assert outcomes[-1] == outcomes[2]
    assert state.model(MODEL).champion_epoch == 2


@pytest.mark.parametrize(
    ("measurements", "epoch", "reason"),
    [
        (measured(against=1), 0, "the champion has moved since"),
        (measured(against=1), 2, "the champion has moved since"),
        (measured(against=2), 1, "measured against version 2"),
        (None, 1, "not measured"),
        (measured(against=1, rows=10), 1, "fewer than"),
        (measured(against=1, gain_lower=0.0), 1, "does not clear"),
    ],
)
def test_promotion_that_is_not_proven_against_the_current_champion_is_refused(measurements, epoch, reason):
    state, outcomes = folded(*FIRST_CHAMPION, register_version("r2"), promote("r2", epoch=epoch, measured=measurements))

    assert not outcomes[-1].accepted
    assert reason in outcomes[-1].reason
    assert state.model(MODEL).champion.version == 1
    assert state.model(MODEL).champion_epoch == 1


def test_better_candidate_replaces_the_champion():
    state, outcomes = folded(*FIRST_CHAMPION, register_version("r2"), promote("r2", epoch=1, measured=measured(against=1)))

    assert outcomes[-1].accepted
    assert state.model(MODEL).champion.version == 2
    assert state.model(MODEL).champion_epoch == 2


def test_measurements_against_a_champion_that_never_was_are_refused():
    _, outcomes = folded(register_project(), register_version("r1"), promote("r1", epoch=0, measured=measured(against=1)))

    assert not outcomes[-1].accepted


def test_promotion_of_a_request_without_a_version_is_refused():
    _, outcomes = folded(register_project(), promote("r1", epoch=0))

    assert not outcomes[-1].accepted
    assert "no version" in outcomes[-1].reason


def test_promotion_waits_for_a_person_where_the_project_asks_for_one():
    rules = PromotionRules(approval="person")
    waiting, outcomes = folded(register_project(rules=rules), register_version("r1"), promote("r1", epoch=0))
    approved, _ = fold(waiting, move_alias(1, epoch=0, command_id="approve"), waiting.next_offset)

    assert not outcomes[-1].accepted
    assert "waiting for approval" in outcomes[-1].reason
    assert waiting.model(MODEL).champion is None
    assert approved.model(MODEL).champion.version == 1


@pytest.mark.parametrize(("version", "epoch"), [(1, 0), (1, 2), (0, 1), (2, 1), (-1, 1), (10**30, 1)])
def test_alias_moves_only_to_a_version_that_exists_from_the_epoch_it_has(version, epoch):
    state, outcomes = folded(*FIRST_CHAMPION, move_alias(version, epoch=epoch, command_id="m"))

    assert not outcomes[-1].accepted
    assert outcomes[-1].epoch == 1
    assert state.model(MODEL).champion_epoch == 1


def test_refused_command_changes_nothing_but_the_record_of_outcomes():
    before, _ = folded(*FIRST_CHAMPION)
    after, _ = fold(before, move_alias(7, epoch=1, command_id="m"), before.next_offset)

    model_before, model_after = before.model(MODEL), after.model(MODEL)
    assert model_after.versions == model_before.versions
    assert model_after.aliases == model_before.aliases
    assert model_after.project == model_before.project
    assert next(model_after.history.newest()).command_id == "m"


def test_fold_leaves_the_state_it_was_given_as_it_was():
    before, _ = folded(*FIRST_CHAMPION)
    told = before.digest()

    fold(before, register_version("r2"), before.next_offset)

    assert before.digest() == told
    assert len(before.model(MODEL).versions) == 1
    assert len(before.model(MODEL).history) == 3


def test_record_that_was_folded_before_is_passed_over():
    state, outcomes = folded(*FIRST_CHAMPION)

    again, outcome = fold(state, FIRST_CHAMPION[1], 1)

    assert again is state
    assert outcome == outcomes[1]


def test_another_command_at_an_old_offset_is_an_error():
    state, _ = folded(*FIRST_CHAMPION)

    with pytest.raises(ValueError, match="folded before"):
        fold(state, register_version("r9"), 1)


def test_unreadable_record_moves_only_the_offset():
    state = RegistryState().skip(0).skip(1)

    assert state.next_offset == 2
    assert state.skip(0) is state


def test_who_was_champion_at_a_time_is_answered_from_history():
    hours = [NOW + timedelta(hours=n) for n in range(4)]
    state, _ = folded(
        register_project(),
        register_version("r1"),
        register_version("r2"),
        promote("r1", epoch=0, at=hours[1]),
        move_alias(2, epoch=1, command_id="m", at=hours[3]),
    )

    model = state.model(MODEL)
    assert model.alias_at("champion", hours[0]) is None
    assert model.alias_at("champion", hours[1]).version == 1
    assert model.alias_at("champion", hours[2]).version == 1
    assert model.alias_at("champion", hours[3]).version == 2


def test_alias_is_not_older_than_its_last_move_when_callers_clocks_differ():
    slow = move_alias(1, epoch=1, command_id="m", at=NOW - timedelta(hours=1))
    state, _ = folded(*FIRST_CHAMPION, slow)

    assert state.model(MODEL).aliases["champion"].since == NOW


def test_digest_tells_states_apart_by_any_part():
    base, _ = folded(*FIRST_CHAMPION)
    rejected = ApprovalStatus(model=MODEL, version=1, state="rejected", since=NOW, by="ada", reason="why")
    others = [
        folded(*FIRST_CHAMPION[:2])[0],
        folded(register_project(archive="other"), *FIRST_CHAMPION[1:])[0],
        folded(*FIRST_CHAMPION, move_alias(7, epoch=1, command_id="refused"))[0],
        base.skip(base.next_offset),
        msgspec.structs.replace(base, models={MODEL: base.model(MODEL).with_standing(rejected)}),
    ]

    assert len({base.digest(), *(other.digest() for other in others)}) == 6
    assert base.digest() == folded(*FIRST_CHAMPION)[0].digest()


def test_fold_stays_cheap_as_the_log_grows():
    def seconds(n: int) -> float:
        commands = [register_project(), *(register_version(f"r{i}") for i in range(50))]
        commands += [move_alias(99, epoch=0, command_id=f"m{i}") for i in range(n)]
        started = time.process_time()
        folded(*commands)
        return time.process_time() - started

    # ten times the log: about ten times the work; copying the outcomes at each command would make it a hundred
    assert seconds(20_000) < 30 * seconds(2_000)


def test_a_project_whose_schema_breaks_the_streams_is_refused_until_it_declares_a_new_version():
    price, colour = Feature(name="price", type="number"), Feature(name="colour", type="category")
    target = Target(name="bought", type="boolean")

    def registered(command_id, *features, version=1):
        schema = StreamSchema(stream="shop", features=features, target=target, version=version)
        return msgspec.structs.replace(register_project(command_id, archive=command_id), stream_schema=schema)

    state, outcomes = folded(
        register_project("before", archive="before"),  # by a program that did not say its schema
        registered("first", price, colour),
        registered("optional", price, colour, Feature(name="size", type="number", required=False)),
        registered("removed", price, colour),
        registered("declared", price, version=2),
        registered("back", price, colour),
    )
    assert [o.accepted for o in outcomes] == [True, True, True, False, True, False]
    assert "'size' was removed" in outcomes[3].reason
    assert "version = 2" in outcomes[3].reason
    assert "cannot go back" in outcomes[5].reason
    assert state.models["flights"].project.archive == digest("declared")
