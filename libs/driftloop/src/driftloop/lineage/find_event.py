"""An event's rows in the lake, found by pruning: event ids have no index."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.parquet import TOPIC_ID, in_parallel, leaf_index, sha256_in_name
from driftloop.lineage.arrow_values import plain_rows, plain_text
from driftloop.lineage.lake_files import LiveFile
from driftloop.ports import ObjectStore
from driftloop.stored import mismatch, sha256_of

_FIRST = ("scored_at", "partition", "offset", "request_offset")  # as the join chooses among copies


class Sighting(NamedTuple):
    """A row of the event, and the file that it stands in. ``problem``: why the file is not what its name promises."""

    path: str
    sha256: str
    topic_id: str | None
    row: dict[str, Any]
    problem: str | None


class Search(NamedTuple):
    """The first row is the one that counts. ``unreadable``: files that may hold the event and cannot be read, with the reason."""

    rows: tuple[Sighting, ...]
    looked_into: int
    unreadable: tuple[str, ...]


def find_event(store: ObjectStore, root: str, files: Sequence[LiveFile], event_id: str) -> Search:
    """Look into ``files``, each read once and hashed as it is read. Raises TransientError."""
    found: list[Sighting] = []
    unreadable: list[str] = []
    for result in in_parallel(lambda file: _look(store, root, file, event_id), files):
        if isinstance(result, str):
            unreadable.append(result)
        else:
            found += result
    found.sort(key=lambda sighting: [(sighting.row[name] is None, sighting.row[name]) for name in _FIRST])
    return Search(tuple(found), len(files), tuple(unreadable))


def _look(store: ObjectStore, root: str, file: LiveFile, event_id: str) -> list[Sighting] | str:
    key = f"{root}/{file.path}"
    try:
        data = store.get(key)
    except ObjectNotFound:
        return f"{key} is not in the store"
    sha256, promised = sha256_of(data), sha256_in_name(file.path)
    problem = None if promised is None else mismatch(key, data, promised)
    try:
        return [Sighting(file.path, sha256, topic, row, problem) for topic, row in _rows(data, event_id)]
    except (pa.ArrowException, OSError, IntegrityError) as exc:
        return problem or f"{key} cannot be read: {exc}"


def _rows(data: bytes, event_id: str) -> list[tuple[str | None, dict[str, Any]]]:
    parquet = pq.ParquetFile(pa.BufferReader(data))
    place = leaf_index(parquet, "event_id")
    if place < 0:
        raise IntegrityError("it has no column event_id")
    topic_id = (parquet.schema_arrow.metadata or {}).get(TOPIC_ID.encode())
    found: list[tuple[str | None, dict[str, Any]]] = []
    for group in range(parquet.num_row_groups):
        bounds = parquet.metadata.row_group(group).column(place).statistics
        if bounds is not None and bounds.has_min_max and not bounds.min <= event_id <= bounds.max:
            continue
        ids = parquet.read_row_group(group, columns=["event_id"], use_threads=False).column("event_id")
        places = pc.indices_nonzero(pc.equal(ids, plain_text(event_id)))
        if len(places):
            rows = plain_rows(parquet.read_row_group(group, use_threads=False).take(places))
            found += [(topic_id.decode() if topic_id else None, row) for row in rows]
    return found
