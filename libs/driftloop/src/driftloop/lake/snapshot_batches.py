"""A snapshot's joined rows, batch after batch, within a bound of memory: the rows and the order of ``read_snapshot``.

A small snapshot is read at once. Of a large one the files are fetched to the local disk, each checked, and joined in slices.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from driftloop.contracts.events import TABLES
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import IntegrityError
from driftloop.lake.join import JoinCounts, joined_schema
from driftloop.lake.local_files import Progress, fetch
from driftloop.lake.sliced_join import AT_ONCE, BATCH_ROWS, DEFAULT_MEMORY, SlicedJoin, silent
from driftloop.lake.snapshot import Snapshot, read_snapshot
from driftloop.lake.work_folder import work_folder
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import lake_schema


def batches_schema(schema: StreamSchema, columns: Sequence[str] | None = None) -> pa.Schema:
    """The columns of ``snapshot_batches``."""
    return joined_schema(lake_schema(schema, "inferences"), lake_schema(schema, "labels"), columns)


def snapshot_batches(
    store: ObjectStore,
    snapshot: Snapshot,
    schema: StreamSchema,
    *,
    columns: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    memory_bytes: int = DEFAULT_MEMORY,
    folder: Path | None = None,
    progress: Progress = silent,
    counts: JoinCounts | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most 65,536 rows. ``folder``: where there is room for the pinned files and twice their rows; by default
    the system's temporary one. ``memory_bytes`` bounds what is held at once, beside the libraries themselves; ``counts`` are
    added to.

    Raises IntegrityError when a file is gone or changed, or the schema is another one; TransientError; UserError when
    memory or disk do not suffice.
    """
    if schema.fingerprint() != snapshot.content.schema_fingerprint:
        raise IntegrityError(f"snapshot {snapshot.digest} was pinned under the schema {snapshot.content.schema_fingerprint}")
    if sum(file.size for file in snapshot.files) * AT_ONCE <= memory_bytes:
        rows = read_snapshot(store, snapshot, schema, columns=columns, keep_unlabelled=keep_unlabelled, counts=counts)
        yield from rows.to_batches(BATCH_ROWS)
        return
    with work_folder(f"the rows of snapshot {snapshot.digest[:12]}", memory_bytes, folder) as work:
        yield from SlicedJoin(
            fetch(store, snapshot, work, progress),
            {table: lake_schema(schema, table) for table in TABLES},
            columns,
            keep_unlabelled=keep_unlabelled,
            memory_bytes=memory_bytes,
            work=work,
            progress=progress,
            counts=counts,
        ).batches()
