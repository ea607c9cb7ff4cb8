"""The split is published: anyone can compute a row's bucket with an XXH64 of their own."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.lake.split import buckets, held_out, split_keys


def published(key: str, salt: str) -> int:
    return int(xxhash.xxh64((salt + "\x1f" + key).encode()).intdigest() % 10_000)


@settings(deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=120), max_size=40), st.text(max_size=40))
def test_bucket_is_the_published_hash(keys, salt):
    salt = salt.encode("utf-8", "replace").decode()
    assert buckets(pa.array(keys, pa.string()), salt).tolist() == [published(key, salt) for key in keys]


@pytest.mark.parametrize("total", [0, 1, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 100])
def test_every_length_class_of_the_algorithm_agrees(total):
    keys = [chr(97 + n) * total for n in range(3)]
    assert buckets(pa.array(keys), "").tolist() == [published(key, "") for key in keys]


def test_adding_rows_moves_none():
    before = pa.array([f"key-{n}" for n in range(500)])
    after = pa.chunked_array([pa.array(["new"] * 7), before.slice(0, 200), before.slice(200)])
    assert np.array_equal(buckets(after, "salt")[7:], buckets(before, "salt"))


def test_slices_and_long_columns_hash_like_single_keys():
    keys = [f"{n * 7919:x}" for n in range(40_000)]
    assert buckets(pa.array(["x", *keys]).slice(1), "s").tolist() == [published(key, "s") for key in keys]


def test_a_tenth_is_held_out_and_shares_of_keys_do_not_straddle():
    keys = pa.array([f"entity-{n % 5000}" for n in range(20_000)])
    found = buckets(keys, "driftloop")
    assert 0.08 < held_out(found).mean() < 0.12
    assert np.array_equal(found[:5000], found[5000:10_000])
    assert held_out(np.array([8999, 9000, 9999], np.uint16)).tolist() == [False, True, True]


def test_a_row_without_a_key_is_split_by_its_event_id():
    rows = pa.table({"event_id": ["a", "b"], "entity": pa.array(["e", None]), "hour": pa.array([7, None])})
    assert split_keys(rows, "entity").to_pylist() == ["e", "b"]
    assert split_keys(rows, "hour").to_pylist() == ["7", "b"]
    with pytest.raises(ValueError, match="null key"):
        buckets(rows["entity"], "salt")
