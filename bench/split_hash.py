"""The published split hash, keys per second on one core."""

import numpy as np
import pyarrow as pa
import xxhash

from bench.clocks import repeated
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.lake.split import BUCKETS, buckets

KEYS = 1_000_000
LOOPED_KEYS = 200_000
SALT = "flights-2013"


def measure(around: Surroundings) -> list[Figure]:
    """Keys as the flights' entities are written: origin, carrier and number."""
    around.say(f"hashing {KEYS:,} keys again and again")
    keys = pa.array([f"JFK-B6-{i % 7_000}" for i in range(KEYS)])
    texts = [f"{SALT}\x1f{key}".encode() for key in keys.slice(0, LOOPED_KEYS).to_pylist()]
    vectorised = repeated(lambda: buckets(keys, SALT), KEYS)
    looped = repeated(lambda: [xxhash.xxh64_intdigest(text) % BUCKETS for text in texts], LOOPED_KEYS, seconds=1.0)
    raw = np.frombuffer(keys.buffers()[2], np.uint8)
    copied = repeated(lambda: raw.copy(), KEYS, seconds=1.0)
    what = "driftloop.lake.split.buckets over one column of 8 to 11 byte keys"
    return [
        Figure(
            name="split-hash",
            what=what,
            value=vectorised,
            unit="keys/s per core",
            limit=Limit("the xxhash package (C) in a Python loop over the same keys, salt already in front", looped),
            aim=Aim(10_000_000, "at least"),
            note=f"copying the keys' bytes alone: {copied:,.0f} keys/s",
        )
    ]
