"""A digest of rows in their order, the same in whatever batches they come."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class RowContent:
    """Each column feeds digests of its own, in the order of the rows."""

    def __init__(self) -> None:
        self._digests: dict[str, Any] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for part, data in _parts(column):
                self._digests.setdefault(f"{name}/{part}", hashlib.sha256()).update(data)

    def hexdigest(self) -> str:
        each = (f"{name} {digest.hexdigest()}" for name, digest in sorted(self._digests.items()))
        return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _parts(column: pa.Array) -> Iterator[tuple[str, bytes | memoryview]]:
    yield "valid", column.is_valid().to_numpy(zero_copy_only=False).tobytes()
    if pa.types.is_string(column.type):
        lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        offsets = np.frombuffer(column.buffers()[1], np.int32, count=len(column) + 1, offset=4 * column.offset)
        yield "lengths", lengths.tobytes()
        yield "values", memoryview(column.buffers()[2] or b"")[int(offsets[0]) : int(offsets[-1])]
    else:
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        yield "values", pc.fill_null(plain, False if pa.types.is_boolean(plain.type) else 0).to_numpy(zero_copy_only=False).tobytes()
