"""Row by row into the slots that a histogram counts."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tests.unit.statistics.rows import SCHEMA, profile, some_rows, traffic

from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.profile import SCORE

PROFILE = profile(bins=16)


@settings(deadline=None)
@given(some_rows)
def test_rows_are_counted_in_the_slots_that_they_are_given(rows):
    counter = Counter(PROFILE)
    counts = counter.count(rows)
    for name, slots in counter.slots(rows, PROFILE.columns).items():
        assert np.bincount(slots, minlength=PROFILE.columns[name].size).tolist() == counts[name].tolist(), name


def test_nothing_but_missing_values_and_no_rows_have_their_slots():
    empty = traffic(50).slice(0, 0)
    assert [slots.size for slots in Counter(PROFILE).slots(empty, PROFILE.columns).values()] == [0] * len(PROFILE.columns)
    missing = pa.table({name: pa.nulls(9, field.type) for name, field in zip(empty.column_names, empty.schema, strict=True)})
    assert {slot for slots in Counter(PROFILE).slots(missing, PROFILE.columns).values() for slot in slots} == {0}


@pytest.mark.parametrize("n", [0, 7, 500])
def test_the_score_may_be_of_other_rows_than_the_columns(n):
    made = build_profile(traffic(300), np.linspace(0, 1, n), SCHEMA, bins=8)
    assert made.rows == 300
    assert made.columns["price"].reference.sum() == 300
    assert made.columns[SCORE].reference.sum() == n
