"""Counting is exact, the same by either method, and adds up."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from tests.unit.statistics.rows import SCHEMA, profile, some_rows, table, traffic

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import IntegrityError
from driftloop.statistics import histograms as sketch
from driftloop.statistics.histograms import MAX_CATEGORIES, Counter, build_profile, count, merge
from driftloop.statistics.profile import SCORE, Profile

PROFILE = profile()
COUNTER = Counter(PROFILE)


@settings(deadline=None)
@given(some_rows, some_rows)
def test_counts_of_parts_add_up_to_counts_of_the_whole(a, b):
    whole = COUNTER.count(pa.concat_tables([a, b]))
    parts = merge(COUNTER.count(a), COUNTER.count(b))
    for name in whole:
        assert np.array_equal(whole[name], parts[name]), name


@settings(deadline=None)
@given(some_rows)
def test_both_methods_of_counting_agree(rows):
    by_sorting = COUNTER.count(rows)
    limit, sketch.SORT_UP_TO_ROWS = sketch.SORT_UP_TO_ROWS, -1
    try:
        by_passes = COUNTER.count(rows)
    finally:
        sketch.SORT_UP_TO_ROWS = limit
    for name in by_sorting:
        assert np.array_equal(by_sorting[name], by_passes[name]), name


@settings(deadline=None)
@given(some_rows)
def test_every_row_falls_into_exactly_one_slot(rows):
    for name, counts in COUNTER.count(rows).items():
        assert counts.sum() == rows.num_rows, name
        assert counts.min() >= 0
        assert counts.size == PROFILE.columns[name].size


def test_a_profile_counts_its_own_training_data_to_its_reference():
    rows = traffic(3000, seed=1)
    for name, counts in count(PROFILE, rows).items():
        assert np.array_equal(counts, PROFILE.columns[name].reference), name


def test_numbers_are_counted_as_missing_below_binned_and_above():
    training = table([{"price": float(v), "items": v % 3, "member": True, "country": "de", "score": 0.5} for v in range(10)])
    small = build_profile(training, np.full(10, 0.5), SCHEMA, bins=5)
    prices = [None, float("nan"), -0.1, float("-inf"), 0.0, 1.0, 1.5, 9.0, 9.1, float("inf")]
    rows = table([{"price": p, "items": 0, "member": False, "country": "de", "score": 0.5} for p in prices])
    assert small.columns["price"].uppers == (1.0, 3.0, 5.0, 7.0, 9.0)
    assert count(small, rows)["price"].tolist() == [2, 2, 2, 1, 0, 0, 1, 2]


def test_few_distinct_values_have_a_bin_each():
    assert PROFILE.columns["member"].uppers == (0.0, 1.0)
    rows = table([{"price": 1.0, "items": 1, "member": m, "country": "c1", "score": 0.1} for m in (True, True, False, None)])
    assert count(PROFILE, rows)["member"].tolist() == [1, 0, 1, 2, 0]


def test_numeric_columns_have_at_most_the_declared_bins():
    assert len(profile(bins=8).columns["price"].uppers) == 8
    assert len(PROFILE.columns["price"].uppers) == 64


def test_rare_and_unseen_categories_share_the_last_slot():
    column = PROFILE.columns["country"]
    assert len(column.categories) == MAX_CATEGORIES
    rows = table([{"price": 1.0, "items": 1, "member": True, "country": c, "score": 0.1} for c in ("c1", "atlantis", None, "atlantis")])
    counts = count(PROFILE, rows)["country"]
    assert (counts[0], counts[-1], counts[1 + column.categories.index("c1")]) == (1, 2, 1)


def test_probabilities_have_twenty_fixed_bins_and_regression_scores_quantiles():
    assert len(PROFILE.columns[SCORE].uppers) == 20
    numbers = StreamSchema(stream="shop", features=(Feature(name="price", type="number"),), target=Target(name="spent", type="number"))
    rows = traffic(500)
    regression = build_profile(rows, np.arange(500.0), numbers, bins=10)
    assert regression.columns[SCORE].uppers == tuple(float(v) for v in range(49, 500, 50))


def test_a_column_without_any_value_in_training_still_counts():
    empty = table([{"price": None, "items": None, "member": None, "country": None, "score": 0.5}] * 3)
    blank = build_profile(empty, np.full(3, 0.5), SCHEMA, bins=8)
    counts = count(blank, traffic(100))
    assert all(c.sum() == 100 for c in counts.values())


def test_a_profile_survives_its_encoding_with_equal_bytes():
    again = Profile.decode(PROFILE.encode())
    assert again == PROFILE
    assert again.encode() == PROFILE.encode()


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", PROFILE.encode().replace(b'"counts":[', b'"counts":[1,')])
def test_bytes_that_are_no_profile_are_refused(data):
    with pytest.raises(IntegrityError):
        Profile.decode(data)


def test_the_bytes_of_a_profile_are_those_of_every_earlier_release():
    """A version's profile is rebuilt in bytes: this digest changes only together with the profile's format."""
    training = table(
        [
            {"price": None if i % 9 == 0 else i * 7 % 101 / 4, "items": i % 5, "member": i % 3 == 0, "country": f"c{i * i % 7}"}
            for i in range(400)
        ]
    )
    made = build_profile(training, np.arange(400) * 37 % 400 / 400, SCHEMA, bins=16)
    assert hashlib.sha256(made.encode()).hexdigest() == "52a5cd78d640c9adc2a9028644d1eb5e14d87b1696eee1b7e7a4f53585501bd9"


def test_scores_that_a_recalibration_corrected_are_not_counted_beside_the_models_own():
    rows = traffic(40, seed=2)
    own, corrected = rows.slice(0, 25), rows.slice(25).append_column("recalibration_epoch", pa.array([3] * 15, pa.int64()))
    mixed = pa.concat_tables([own, corrected], promote_options="default")

    found = COUNTER.count(mixed)
    assert np.array_equal(found[SCORE], COUNTER.count(own)[SCORE])
    assert COUNTER.count(corrected)[SCORE].sum() == 0
    assert all(counts.sum() == 40 for name, counts in found.items() if name != SCORE)


def test_a_feature_that_has_the_name_of_the_recalibrations_epoch_leaves_scores_alone():
    schema = StreamSchema(
        stream="s", features=(Feature(name="recalibration_epoch", type="integer"),), target=Target(name="t", type="boolean")
    )
    rows = pa.table({"recalibration_epoch": pa.array([1, None, 3], pa.int64()), "score": [0.1, 0.5, 0.9]})
    counter = Counter(build_profile(rows, np.array([0.1, 0.5, 0.9]), schema, bins=2))
    assert counter.count(rows)[SCORE].sum() == 3
