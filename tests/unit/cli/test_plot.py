"""Plots of plain characters: every value inside the frame, whatever the values are."""

from hypothesis import given
from hypothesis import strategies as st

from driftloop.cli.plot import Mark, bar, beside_a_limit, marks

NUMBERS = st.floats(-1e6, 1e6)


def test_values_stand_on_one_scale_with_their_intervals():
    drawn = marks([Mark("a", 0.5, 0.0, 1.0, note="0.500"), Mark("bb", 1.0, sign="~"), Mark("c", None)], width=11)
    assert drawn == ["a  |-----o-----| 0.500", "bb |          ~|", "c  |           |", "    0         1"]


def test_nothing_known_is_no_plot():
    assert marks([Mark("a", None)]) == []


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_every_line_is_as_wide_as_the_others_and_has_its_sign(values):
    drawn = marks([Mark("x", sorted(v)[1], min(v), max(v)) for v in values], width=20)
    assert {len(line) for line in drawn[:-1]} == {len("x |") + 20 + 1}
    assert all(line.count("o") == 1 for line in drawn[:-1])


@given(st.floats(0, 100))
def test_a_bar_beside_its_limit_shows_where_the_limit_is(ratio):
    assert beside_a_limit(ratio)[20] == "|"
    assert ("#" * 20 in beside_a_limit(ratio)) == (round(ratio * 20) >= 20)


def test_a_share_is_a_part_of_the_width_and_seen_when_it_is_small():
    assert (bar(0, 10), bar(1e-9, 10), bar(0.5, 10), bar(1, 10), bar(7, 10)) == ("", "#", "#####", "#" * 10, "#" * 10)
