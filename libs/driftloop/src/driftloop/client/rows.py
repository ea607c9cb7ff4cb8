"""Rows of a stream: from its tables, as of two clocks, or from a snapshot's own bytes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from driftloop.client.arguments import stream_name, time_of
from driftloop.client.connections import Connections
from driftloop.datasets.as_of import AsOf, known_at, known_below
from driftloop.datasets.dataset import Dataset, joined_rows, table_rows
from driftloop.datasets.snapshots import find_snapshot, snapshot_rows
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.table import LakeTable

Known = datetime | Mapping[str, Mapping[int, int]] | None
TableName = Literal["joined", "inferences", "labels"]


def rows(
    to: Connections,
    stream: str,
    *,
    table: TableName,
    since: datetime | str | None,
    as_of: datetime | str | None,
    known: Known,
    snapshot: str | None,
    columns: Sequence[str] | None,
    labelled_only: bool,
) -> Dataset:
    """As ``Client.dataset``. Raises UserError for what is not there, TransientError."""
    stream_name(stream)
    start, end = (None if time is None else time_of(time) for time in (since, as_of))
    if snapshot is not None:
        if table != "joined" or start or end or known:
            raise UserError("a snapshot fixes table, event time and what was known: give it alone, with columns if wanted")
        return _pinned(to, stream, snapshot, columns, labelled_only)
    tables = [name for name in ("inferences", "labels") if table in ("joined", name)]
    if not tables:
        raise UserError(f"table {table!r} is not one of joined, inferences, labels")
    pinned = [_as_known(to, stream, name, known) for name in tables]
    unknown = set(known) - {f"{stream}.{name}" for name in tables} if isinstance(known, Mapping) else set()
    if unknown:
        raise UserError(f"{min(unknown)[:120]!r} is not a topic that {stream}/{table} is filled from")
    if table == "joined":
        schema, batches = joined_rows(*pinned, start=start, end=end, columns=columns, labelled_only=labelled_only)
    else:
        schema, batches = table_rows(pinned[0], start=start, end=end, columns=columns)
    return Dataset(schema, batches, _provenance(stream, table, start, end, pinned))


def _pinned(to: Connections, stream: str, beginning: str, columns: Sequence[str] | None, labelled_only: bool) -> Dataset:
    _, digest = find_snapshot(to.store, beginning, stream)
    names = None if columns is None else list(columns)
    schema, batches, snapshot = snapshot_rows(to.store, stream, digest, columns=names, labelled_only=labelled_only)
    about = {"stream": stream, "snapshot": digest, "since": snapshot.content.start, "as_of": snapshot.content.end}
    return Dataset(schema, batches, about)


def _as_known(to: Connections, stream: str, name: str, known: Known) -> AsOf:
    try:
        table = LakeTable.open(to.s3, stream, name)
    except ObjectNotFound:
        raise UserError(f"the lake has no table {stream}/{name}; see `driftloop datasets list`") from None
    if known is None:
        return AsOf(table)
    if isinstance(known, datetime):
        return known_at(table, time_of(known))
    offsets = known.get(f"{stream}.{name}")
    return AsOf(table) if offsets is None else known_below(table, offsets)


def _provenance(stream: str, table: str, start: datetime | None, end: datetime | None, pinned: list[AsOf]) -> dict[str, Any]:
    return {
        "stream": stream,
        "table": table,
        "since": start,
        "as_of": end,
        "versions": {one.table.table: one.table.version for one in pinned},
        "below": {f"{stream}.{one.table.table}": dict(one.below) for one in pinned if one.below is not None} or None,
    }
