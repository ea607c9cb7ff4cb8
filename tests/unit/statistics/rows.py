"""Rows for the profile tests: every kind of column, with missing values, ties and strangers."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.profile import Profile

SCHEMA = StreamSchema(
    stream="shop",
    features=(
        Feature(name="price", type="number"),
        Feature(name="items", type="integer"),
        Feature(name="member", type="boolean"),
        Feature(name="country", type="category"),
    ),
    target=Target(name="bought", type="boolean"),
)
TYPES = pa.schema(
    [
        pa.field("price", pa.float64()),
        pa.field("items", pa.int64()),
        pa.field("member", pa.bool_()),
        pa.field("country", pa.string()),
        pa.field("score", pa.float64()),
    ]
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=TYPES)


def traffic(n: int, seed: int = 0, shift: float = 0.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    rows = {
        "price": pa.array(rng.normal(10 + shift, 3, n), mask=rng.random(n) < 0.05),
        "items": pa.array(rng.poisson(2, n)),
        "member": pa.array(rng.random(n) < 0.3),
        "country": pa.array([f"c{v}" for v in rng.zipf(1.5, n) % 300]),
        "score": pa.array(rng.beta(2, 5, n)),
    }
    return pa.table(rows, schema=TYPES)


def profile(bins: int = 64) -> Profile:
    rows = traffic(3000, seed=1)
    return build_profile(rows, rows.column("score").to_numpy(), SCHEMA, bins)


one_row = st.fixed_dictionaries(
    {
        "price": st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([10.0, 0.0, -0.0]),
        "items": st.none() | st.integers(-(2**60), 2**60) | st.integers(0, 5),
        "member": st.none() | st.booleans(),
        "country": st.none() | st.sampled_from(["c1", "c2", "nowhere", ""]),
        "score": st.none() | st.floats(0, 1),
    }
)
some_rows = st.lists(one_row, max_size=30).map(table)
