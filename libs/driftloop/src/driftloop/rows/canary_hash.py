"""Who a canary answers: a published hash of the entity, so that it can be computed by anybody, anywhere, and never changes.

    bucket = XXH64("driftloop-canary" ‖ 0x1E ‖ model ‖ 0x1E ‖ version ‖ 0x1E ‖ entity, as UTF-8, seed 0) mod 10,000

A row's entity is its key; of a row without one, its event id. It is the canary's while its bucket is below the share, 100 for 1 %: who is
among 1 % is among 10 % too. The split of training data hashes salt ‖ 0x1F ‖ key (``lake.split``): another text, so being the canary's
says nothing of being held out. Model and version are part of it, so that not the same entities are every canary's.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.canary_steps import BUCKETS
from driftloop.rows.xxh64 import keyed_buckets

_DOMAIN, _SEPARATOR = b"driftloop-canary", b"\x1e"


def canary_buckets(entities: pa.Array | pa.ChunkedArray, model: str, version: int) -> npt.NDArray[np.uint16]:
    """The bucket of each entity, in [0, 10,000). Strings without nulls."""
    prefix = _SEPARATOR.join((_DOMAIN, model.encode(), str(version).encode(), b""))
    return keyed_buckets(entities, prefix, BUCKETS)


def of_canary(rows: pa.Table, model: str, version: int, share: int) -> npt.NDArray[np.bool_]:
    """Of request rows, which are the canary's of so many buckets."""
    return canary_buckets(pc.coalesce(rows.column("entity"), rows.column("event_id")), model, version) < share
