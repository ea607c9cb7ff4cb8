"""A run whose objects do not verify: the first verdict on its request stands."""

import msgspec
from tests.unit.registry.commands import MODEL, folded, refuse_run, register_project, register_version


def test_request_of_a_refused_run_never_becomes_a_version():
    state, outcomes = folded(register_project(), refuse_run(), register_version("r1"), register_version("r2"))

    assert [outcome.accepted for outcome in outcomes[1:]] == [False, False, True]
    assert outcomes[1].reason == "the store holds no manifest"
    assert "was decided against: the store holds no manifest" in outcomes[2].reason
    assert [version.request_id for version in state.model(MODEL).versions] == ["r2"]


def test_run_that_has_become_a_version_is_not_refused_any_more():
    state, outcomes = folded(register_project(), register_version("r1"), refuse_run(command_id="slow"))

    assert not outcomes[2].accepted
    assert (outcomes[2].version, outcomes[2].reason) == (1, "request r1 gave version 1")
    assert len(state.model(MODEL).refused_runs) == 0


def test_first_reason_stands():
    state, outcomes = folded(register_project(), refuse_run(), refuse_run(command_id="again", problem="other bytes"))

    assert outcomes[1].reason == outcomes[2].reason
    assert state.model(MODEL).refused_runs.get("r1").problem == "the store holds no manifest"


def test_refused_run_is_part_of_the_state():
    without, _ = folded(register_project())
    refused, _ = folded(register_project(), refuse_run())
    forgotten = msgspec.structs.replace(
        refused, models={MODEL: msgspec.structs.replace(refused.model(MODEL), refused_runs=without.model(MODEL).refused_runs)}
    )

    assert refused.digest() != forgotten.digest()
