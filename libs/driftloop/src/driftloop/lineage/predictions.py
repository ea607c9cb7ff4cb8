"""How many predictions each version has made: from the files' statistics, and from the files where those are not enough."""

import io
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.lake.parquet import in_parallel
from driftloop.lineage.lake_files import LiveFile
from driftloop.ports import ObjectStore

_COLUMNS = ["model_version", "event_time"]


class Made(NamedTuple):
    """Rows that one version scored, with the event times of the first and the last; repeats of an event id count."""

    rows: int
    first: datetime
    last: datetime
    files: int


def predictions_by_version(store: ObjectStore, root: str, files: Sequence[LiveFile]) -> dict[int | None, Made]:
    """By version, None for rows without a model. Raises ObjectNotFound when a live file is gone, TransientError."""
    made: dict[int | None, Made] = {}
    for counts in in_parallel(lambda file: _count(store, root, file), files):
        for version, new in counts.items():
            old = made.get(version)
            made[version] = new if old is None else _together(old, new)
    return made


def _together(a: Made, b: Made) -> Made:
    return Made(a.rows + b.rows, min(a.first, b.first), max(a.last, b.last), a.files + b.files)


def _count(store: ObjectStore, root: str, file: LiveFile) -> dict[int | None, Made]:
    if file.rows is not None and file.start is not None and file.end is not None:
        if file.unscored == file.rows:
            return {None: Made(file.rows, file.start, file.end, 1)}
        if file.unscored == 0 and file.first_version is not None and file.first_version == file.last_version:
            return {file.first_version: Made(file.rows, file.start, file.end, 1)}
    rows = pq.read_table(io.BytesIO(store.get(f"{root}/{file.path}")), columns=_COLUMNS, use_threads=False)
    versions = rows.column("model_version")
    found: dict[int | None, Made] = {}
    for version, count in Counter(versions.to_pylist()).items():
        mask = pc.is_null(versions) if version is None else pc.fill_null(pc.equal(versions, version), False)
        span = pc.min_max(rows.column("event_time").filter(mask)).as_py()
        found[version] = Made(count, span["min"], span["max"], 1)
    return found
