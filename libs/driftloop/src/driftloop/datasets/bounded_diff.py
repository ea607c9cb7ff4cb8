"""A comparison of two versions of data within a bound of memory, however many rows they have.

What fits is compared at once. Of more, either side is written to disk in parts by a hash of the event id, so that both rows of
an event are in the same part; parts are compared one after another, and distributions one column after another.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from driftloop.contracts.schema import StreamSchema
from driftloop.datasets.diff import (
    DatasetDiff,
    FeatureDistance,
    LabelChanges,
    RowChanges,
    StoredProfile,
    changes,
    difference,
    distances,
    shared_features,
    told,
)
from driftloop.datasets.diff_inputs import DiffSide
from driftloop.lake.sliced_join import DEFAULT_MEMORY
from driftloop.lake.split import buckets
from driftloop.lake.work_folder import work_folder

MOST_PARTS = 200  # files that are written at once
_ROWS_AT_ONCE = 65_536


def bounded_difference(a: DiffSide, b: DiffSide, stored: StoredProfile | None = None, *, memory_bytes: int = DEFAULT_MEMORY) -> DatasetDiff:
    """As ``diff.difference``. ``memory_bytes`` bounds what is held of the rows, but for one column of one side.

    Raises IntegrityError, TransientError, and UserError when memory or the system's temporary folder do not suffice.
    """
    if a.bytes + b.bytes <= memory_bytes:
        return difference(a.read(), b.read(), stored)
    parts = min(MOST_PARTS, 2 * (a.bytes + b.bytes) // memory_bytes + 1)
    with work_folder("the rows of this comparison", memory_bytes) as folder:
        return _in_parts(a, b, stored, _Parts(a, folder, "a", parts), _Parts(b, folder, "b", parts))


class _Parts:
    """One side on disk: part by part, and column by column."""

    def __init__(self, side: DiffSide, folder: Path, name: str, parts: int) -> None:
        self._paths = [folder / f"{name}-{part}.arrow" for part in range(parts)]
        raw = [folder / f"{name}-{part}.raw.arrow" for part in range(parts)]
        with ExitStack() as opened:
            writers = [opened.enter_context(pa.ipc.new_file(str(path), side.stored)) for path in raw]
            for batch in side.batches():
                numbers = buckets(batch.column("event_id"), "") % parts
                for part in np.unique(numbers):
                    writers[part].write_batch(batch.filter(pa.array(numbers == part)))
        for found, path in zip(raw, self._paths, strict=True):
            settled = side.settle(_read(found))
            found.unlink()
            with pa.ipc.new_file(str(path), settled.schema) as writer:
                writer.write_table(settled, max_chunksize=_ROWS_AT_ONCE)

    def __iter__(self) -> Iterator[pa.Table]:
        return map(_read, self._paths)

    def column(self, name: str) -> pa.Table:
        return pa.concat_tables([_read(path, name) for path in self._paths])


class _Changes(NamedTuple):
    rows: RowChanges
    labels: LabelChanges | None


def _in_parts(a: DiffSide, b: DiffSide, stored: StoredProfile | None, rows_a: _Parts, rows_b: _Parts) -> DatasetDiff:
    names = shared_features(a, b)
    total: _Changes | None = None
    for part_a, part_b in zip(rows_a, rows_b, strict=True):
        part = _Changes(*changes(part_a, part_b, names))
        total = part if total is None else _added(total, part)
    assert total is not None
    features: dict[str, FeatureDistance] = {}
    for name in names:
        features |= _of_feature(a.schema, name, names, stored, rows_a, rows_b)
    return told(a, b, total.rows, total.labels, features, stored)


def _added(one: _Changes, other: _Changes) -> _Changes:
    labels = None if one.labels is None or other.labels is None else one.labels + other.labels
    return _Changes(one.rows + other.rows, labels)


def _of_feature(
    schema: StreamSchema, name: str, names: Sequence[str], stored: StoredProfile | None, rows_a: _Parts, rows_b: _Parts
) -> dict[str, FeatureDistance]:
    alone = msgspec.structs.replace(schema, features=tuple(f for f in schema.features if f.name == name))
    found = distances(rows_a.column(name), rows_b.column(name), alone, [name], stored.profile if stored else None)
    return {column: distance for column, distance in found.items() if column == name or column not in names}


def _read(path: Path, column: str | None = None) -> pa.Table:
    with pa.ipc.open_file(str(path)) as file:
        if column is None:
            return file.read_all()
        options = pa.ipc.IpcReadOptions(included_fields=[file.schema.get_field_index(column)])
    with pa.ipc.open_file(str(path), options=options) as file:
        return file.read_all()
