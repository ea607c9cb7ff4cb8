"""What refused calls cost a reader of the registry's log, in figures: next to nothing in memory, in what is stored, and at a start."""

import gc
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest
from tests.unit.registry.commands import folded, move_alias, promote, register_project, register_version

from driftloop.registry import entries
from driftloop.registry.dry_run import answer_without_record
from driftloop.registry.fold import RegistryState, fold
from driftloop.registry.stored_state import decode_state, encode_state

MORE = 2000
BYTES_EACH = 32


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def champion() -> RegistryState:
    state, _ = folded(register_project(), register_version("r1"), promote("r1", epoch=0))
    return state


def after_refusals(state: RegistryState, n: int) -> RegistryState:
    """With the records of ``n`` more moves that came too late, of two thousand bytes each."""
    for offset in range(state.next_offset, state.next_offset + n):
        move = msgspec.structs.replace(move_alias(1, epoch=99, command_id=f"late-{offset}"), reason=f"{offset:06}" + "x" * 1900)
        state, outcome = fold(state, move, offset)
        assert outcome.refused
    return state


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.usefixtures("traced")
def test_refused_records_take_a_few_bytes_each_in_memory() -> None:
    state = after_refusals(champion(), entries.MAX_REFUSED)
    before = held()

    state = after_refusals(state, MORE)

    assert held() - before < 2 * BYTES_EACH * MORE  # all else is of the last thousand, which take the places of those before them


def test_a_start_reads_a_few_bytes_for_each_refused_record() -> None:
    state = after_refusals(champion(), entries.MAX_REFUSED)
    more = after_refusals(state, MORE)

    grown = len(encode_state(more)) - len(encode_state(state))

    assert BYTES_EACH * MORE <= grown <= BYTES_EACH * MORE + 4 * entries.MAX_REFUSED  # of those that are shown, offsets and ids get longer
    assert decode_state(encode_state(more)) == more


def test_refused_calls_leave_every_reader_as_it_was() -> None:
    state = champion()
    before = (state.next_offset, state.digest())

    for n in range(MORE):
        assert answer_without_record(state, move_alias(1, epoch=99, command_id=f"call-{n}")) is not None

    assert (state.next_offset, state.digest()) == before
