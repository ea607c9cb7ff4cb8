"""The rows of one file that had been taken up when a snapshot was pinned.

A file may hold later rows beside them: a compaction merges whatever is small. The rows keep the partition and offset that
they came in, and the file says of which topic id.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.lake.cursors import app_id
from driftloop.lake.parquet import TOPIC_ID, conformed, leaf_index
from driftloop.rows.stored_columns import stored_as

_WHERE = ("partition", "offset")


def rows_below(file: pq.ParquetFile, ends: Mapping[str, int], wanted: pa.Schema, row_groups: Sequence[int] | None = None) -> pa.Table:
    """The wanted columns of the rows whose offset is below that of their cursor in ``ends``; of some row groups, or of all."""
    groups = range(file.num_row_groups) if row_groups is None else row_groups
    topic_id = (file.schema_arrow.metadata or {}).get(TOPIC_ID.encode())
    all_known = _all_below(file, groups, ends, topic_id)
    stored = [name for field in wanted if (name := stored_as(field, file.schema_arrow)) is not None]
    columns = stored + [n for n in _WHERE if not all_known and n not in wanted.names]
    rows = file.read_row_groups(list(groups), columns=columns, use_threads=False)
    if not all_known:
        rows = rows.filter(_below(rows, ends, topic_id))
    return conformed(rows, wanted)


def _by_partition(ends: Mapping[str, int], topic_id: bytes | None) -> dict[int, int]:
    """A file of another writer does not say its topic id: then a row is in if any incarnation of the topic had its offset."""
    found: dict[int, int] = {}
    for cursor, end in ends.items():
        partition = int(cursor.rpartition("/")[2])
        if cursor.startswith("driftloop/") and (topic_id is None or cursor == app_id(topic_id.decode(), partition)):
            found[partition] = max(end, found.get(partition, 0))
    return found


def _all_below(file: pq.ParquetFile, groups: Sequence[int], ends: Mapping[str, int], topic_id: bytes | None) -> bool:
    """Whether the file's own statistics say that no row needs to be looked at."""
    places = {name: leaf_index(file, name) for name in _WHERE}
    known = _by_partition(ends, topic_id)
    for group in groups:
        partition, offset = (file.metadata.row_group(group).column(places[name]).statistics for name in _WHERE)
        if partition is None or offset is None or not partition.has_min_max or not offset.has_min_max:
            return False
        if any(offset.max >= known.get(p, 0) for p in range(partition.min, partition.max + 1)):
            return False
    return True


def _below(rows: pa.Table, ends: Mapping[str, int], topic_id: bytes | None) -> pa.ChunkedArray:
    known = _by_partition(ends, topic_id)
    partitions = pa.array(sorted(known), pa.int32())
    limits = pa.array([known[p] for p in sorted(known)], pa.int64())
    limit = pc.take(limits, pc.index_in(rows.column("partition"), value_set=partitions))
    return pc.fill_null(pc.less(rows.column("offset"), limit), False)
