"""A state that was stored and read back is the same state, and folds on as it would have."""

import msgspec
import pytest
from tests.unit.registry.commands import (
    MODEL,
    approve,
    delete,
    folded,
    measured,
    move_alias,
    promote,
    refuse_run,
    register_project,
    register_version,
    reject,
)
from tests.unit.registry.corrections import HALF, project, recalibrate

from driftloop.contracts.values import PromotionRules
from driftloop.registry import entries
from driftloop.registry.fold import RegistryState, fold
from driftloop.registry.stored_state import decode_state, encode_state

LOG = (
    move_alias(1, epoch=0, command_id="stray"),
    project(rules=PromotionRules(approval="person")),
    register_version("r1"),
    promote("r1", epoch=0),
    approve(1),
    register_version("r2"),
    promote("r2", epoch=1, measured=measured(against=1)),
    move_alias(7, epoch=1, command_id="refused"),
    move_alias(1, epoch=0, command_id="one", alias="challenger"),
    move_alias(1, epoch=1, command_id="one", alias="challenger"),  # another command under a known id
    reject(2),
    delete(2),
    refuse_run("r3"),
    recalibrate(),
    recalibrate(HALF, command_id="half", epoch=1),
    *(move_alias(1, epoch=99, command_id=f"late-{n}") for n in range(entries.MAX_REFUSED + 20)),
    register_project("other", model="other"),
    register_version("r4"),
)


@pytest.mark.parametrize("at", [0, 1, 4, 10, 13, len(LOG) - 2, len(LOG)])
def test_state_read_back_folds_on_as_it_would_have(at):
    before, _ = folded(*LOG[:at])
    again = decode_state(encode_state(before))
    assert again == before
    assert again.digest() == before.digest()

    further = (*LOG, register_version("r5"), promote("r5", epoch=1, measured=measured(against=1)))
    assert outcomes_after(again, further) == outcomes_after(before, further)


def outcomes_after(state, commands):
    outcomes = []
    for command in commands:
        state, outcome = fold(state, command, state.next_offset)
        outcomes.append(outcome)
    return state.digest(), outcomes


def test_log_folded_on_from_a_stored_state_is_the_log_folded_whole():
    whole, _ = folded(*LOG)
    state = RegistryState()
    for offset, command in enumerate(LOG):
        state, _ = fold(decode_state(encode_state(state)) if offset % 97 == 0 else state, command, offset)

    assert state == whole
    assert state.digest() == whole.digest()


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode({"models": []}), msgspec.msgpack.encode([1, 2])])
def test_bytes_that_are_no_state_are_a_value_error(data):
    with pytest.raises(ValueError):
        decode_state(data)


def test_texts_that_commands_have_in_common_are_held_once_also_from_a_checkpoint():
    state, _ = folded(register_project(), *(register_version(f"r{n}") for n in range(1, 4)))
    for one in (state, decode_state(encode_state(state))):
        entries = list(one.models[MODEL].history.values())
        assert len(entries) == 4
        assert len({id(entry.actor) for entry in entries}) == len({entry.actor for entry in entries})
        assert len({id(entry.model) for entry in entries}) == 1
