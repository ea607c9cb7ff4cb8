"""Overlaps are trimmed, gaps are loud: whatever predictors write, each request is taken once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.contracts.headers import RequestRange
from driftloop.errors import GapError
from driftloop.rows.request_ranges import accepted


def claim(start, end):
    return RequestRange(topic_id="t", partition=3, start=start, end=end)


@pytest.mark.parametrize(
    ("claimed", "cursor", "new"),
    [
        ((5, 9), None, (5, 9)),  # the first range of all begins where the requests begin
        ((5, 9), 5, (5, 9)),
        ((5, 9), 7, (7, 9)),
        ((5, 9), 9, (9, 9)),
        ((5, 9), 20, (20, 20)),
        ((5, 5), 5, (5, 5)),
    ],
)
def test_what_is_new_of_a_range(claimed, cursor, new):
    assert accepted(claim(*claimed), cursor) == new


def test_a_gap_names_the_requests_that_are_missing():
    with pytest.raises(GapError, match=r"requests 5 to 6 of partition 3 .*\[7, 9\)"):
        accepted(claim(7, 9), 5)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=30))
def test_every_request_is_taken_once_or_the_gap_is_loud(ranges):
    cursor, taken = 0, []
    for start, length in ranges:
        if start > cursor:
            with pytest.raises(GapError):
                accepted(claim(start, start + length), cursor)
            continue
        first, cursor = accepted(claim(start, start + length), cursor)
        taken += range(first, cursor)
    assert taken == list(range(cursor))
