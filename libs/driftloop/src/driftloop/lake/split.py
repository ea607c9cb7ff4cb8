"""The published split: a hash of (salt, key) into 10,000 buckets, never a random draw.

``bucket = XXH64(salt ‖ 0x1f ‖ key as UTF-8, seed 0) mod 10,000``. Adding rows never moves a row, and rows that share a
key share a bucket. A canary's hash is another one (``rows.canary_hash``).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.values import Part
from driftloop.rows.xxh64 import keyed_buckets

BUCKETS = 10_000
HELD_OUT_FROM = 9_000
HASH = "xxh64"
_SEPARATOR = b"\x1f"


class SplitRule(Part, frozen=True, kw_only=True):
    """Everything that decides a row's bucket. ``key`` is a column; a row without one is split by its event id."""

    key: str
    salt: str
    hash: str = HASH
    buckets: int = BUCKETS
    held_out_from: int = HELD_OUT_FROM


def split_keys(rows: pa.Table, key: str) -> pa.ChunkedArray:
    """The column that ``buckets`` takes, as text; the event id stands in where the key is null."""
    column = rows.column(key)
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    return pc.coalesce(column, rows.column("event_id")) if column.null_count else column


def held_out(buckets: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """True for rows that are never fitted: they serve calibration and the model card."""
    return buckets >= HELD_OUT_FROM


def buckets(keys: pa.Array | pa.ChunkedArray, salt: str) -> npt.NDArray[np.uint16]:
    """The bucket of each key, in [0, 10,000). Keys are strings without nulls."""
    if keys.null_count:
        raise ValueError("a null key has no bucket: take the keys from split_keys")
    return keyed_buckets(keys, salt.encode() + _SEPARATOR, BUCKETS)
