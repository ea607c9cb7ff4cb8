"""A set of ids in 16 bytes each."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.history import id_set
from driftloop.history.id_set import IdSet


@given(st.lists(st.text(max_size=3)), st.integers(0, 5))
def test_an_id_is_new_once_whatever_was_merged_in_between(ids, recent):
    normal, id_set.RECENT = id_set.RECENT, recent
    try:
        held, known = IdSet(), set()
        for text in ids:
            assert (text in held) == (text in known)
            assert held.add(text) == (text not in known)
            known.add(text)
            assert len(held) == len(known)
        assert IdSet(held.stored()).stored() == held.stored()
        assert all(text in IdSet(held.stored()) for text in ids)
    finally:
        id_set.RECENT = normal


def test_the_order_of_ids_does_not_show_in_what_is_stored():
    one, other = IdSet(), IdSet()
    for n in range(100):
        one.add(str(n))
        other.add(str(99 - n))
    assert one.stored() == other.stored()
    assert len(one.stored()) == 1600


def test_an_id_that_is_no_utf8_has_a_place_too():
    held = IdSet()
    assert held.add("\ud800")
    assert "\ud800" in held


def test_a_broken_store_is_refused():
    with pytest.raises(ValueError, match="17 bytes are no set of ids"):
        IdSet(b"x" * 17)


def test_twenty_thousand_ids_take_less_than_a_megabyte():
    tracemalloc.start()
    try:
        held = IdSet()
        for n in range(20_000):
            held.add(f"id-{n}")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 1_000_000  # a set of the ids themselves takes three times that
