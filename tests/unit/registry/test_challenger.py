"""Who answers beside the champion: by an alias that a move of the champion ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.registry.commands import MODEL, NOW, register_project, register_version

from driftloop.contracts.commands import MoveAlias
from driftloop.registry.fold import RegistryState, fold
from driftloop.registry.stored_state import decode_state, encode_state


class Log:
    """Versions 1 to 3, and moves of aliases as the log has them."""

    def __init__(self):
        self.state, self.moves = RegistryState(), 0
        for command in (register_project(), *(register_version(f"r{n}") for n in (1, 2, 3))):
            self.state, _ = fold(self.state, command, self.state.next_offset)

    def move(self, alias, version):
        self.moves += 1
        epoch = self.model.epoch(alias)
        fields = {"model": MODEL, "alias": alias, "version": version, "expected_epoch": epoch}
        command = MoveAlias(command_id=f"m{self.moves}", at=NOW, actor="a person", reason="why not", **fields)
        self.state, outcome = fold(self.state, command, self.state.next_offset)
        return outcome

    @property
    def model(self):
        return self.state.models[MODEL]

    @property
    def named(self):
        challenger = self.model.challenger
        return None if challenger is None else challenger.version


@pytest.mark.parametrize(
    ("moves", "named"),
    [
        ([], None),
        ([("challenger", 2)], None),
        ([("champion", 1), ("challenger", 2)], 2),
        ([("champion", 1), ("challenger", 2), ("challenger", 3)], 3),
        ([("champion", 1), ("challenger", 2), ("shop-window", 3)], 2),
        ([("champion", 1), ("challenger", 2), ("challenger", 1)], None),
        ([("champion", 1), ("challenger", 2), ("champion", 2)], None),
        ([("champion", 1), ("challenger", 2), ("champion", 3)], None),
        ([("champion", 1), ("challenger", 2), ("champion", 3), ("champion", 1)], None),
        ([("challenger", 2), ("champion", 1), ("challenger", 2)], 2),
    ],
)
def test_a_challenger_is_one_until_the_champion_moves_or_is_itself_named(moves, named):
    log = Log()
    for alias, version in moves:
        assert log.move(alias, version).accepted
    assert log.named == named


def test_version_that_there_is_not_challenges_nobody():
    log = Log()
    log.move("champion", 1)
    assert log.move("challenger", 4).refused
    assert log.named is None


@given(st.lists(st.tuples(st.sampled_from(["champion", "challenger", "shop-window"]), st.integers(1, 3)), max_size=12))
def test_a_stored_state_names_the_same_challenger(moves):
    log = Log()
    for alias, version in moves:
        log.move(alias, version)
    again = decode_state(encode_state(log.state)).models[MODEL]
    assert again.challenger == log.model.challenger
    # as a reader of the log would say it: the last move of either alias is the challenger's, and to another version
    either = [move for move in moves if move[0] != "shop-window"]
    champion = next((version for alias, version in reversed(either) if alias == "champion"), None)
    expected = either[-1][1] if either and either[-1][0] == "challenger" and champion not in (None, either[-1][1]) else None
    assert log.named == expected
