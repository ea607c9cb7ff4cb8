"""Event time cut into slices of about as many rows each."""

import numpy as np
import pytest

from driftloop.lake.slices import Group, cuts_for, first_and_last, slices_of


def group(rows, low, high):
    return Group("inferences", 0, 0, rows, low, high)


def test_what_fits_is_not_cut():
    assert len(cuts_for([group(500, 0, 999), group(500, 0, 999)], 1000)) == 0


def test_even_rows_are_cut_evenly():
    cuts = cuts_for([group(1000, n * 1000, n * 1000 + 999) for n in range(10)], 2500)
    assert cuts.tolist() == [2500, 5000, 7500]


@pytest.mark.parametrize("seed", range(5))
def test_no_slice_is_much_larger_than_asked_for_however_groups_overlap(seed):
    chance = np.random.default_rng(seed)
    lows, widths = chance.integers(0, 10**9, 200).tolist(), chance.integers(0, 10**8, 200).tolist()
    spans = [(low, low + width) for low, width in zip(lows, widths, strict=True)]
    cuts = cuts_for([group(1000, low, high) for low, high in spans], 10_000)
    times = np.concatenate([chance.integers(low, high + 1, 1000) for low, high in spans])
    counts = np.bincount(slices_of(cuts, times), minlength=len(cuts) + 1)
    assert counts.max() < 11_000


def test_rows_of_one_moment_are_not_torn_apart():
    cuts = cuts_for([group(1000, 5, 5), group(1000, 5, 5), group(1000, 9, 9)], 100)
    assert len(set(slices_of(cuts, np.array([5, 5])).tolist())) == 1
    assert slices_of(cuts, np.array([5]))[0] < slices_of(cuts, np.array([9]))[0]


def test_a_group_knows_the_slices_that_it_lies_in():
    cuts = np.array([10, 20, 30])
    assert first_and_last(cuts, group(1, 0, 9)) == (0, 0)
    assert first_and_last(cuts, group(1, 9, 10)) == (0, 1)
    assert first_and_last(cuts, group(1, 12, 30)) == (1, 3)
