"""``driftloop.Client()``: the lake from Python, as of a moment, as pandas, Arrow or Polars."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.moments import moment
from driftloop.contracts.names import is_name
from driftloop.datasets import as_of as as_of_rows
from driftloop.datasets.dataset import Dataset, joined_rows, table_rows
from driftloop.datasets.snapshots import Stored, find_snapshot, snapshot_rows, stored_snapshots
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.table import LakeTable
from driftloop.settings import S3Settings

Known = datetime | Mapping[str, Mapping[int, int]] | None
TableName = Literal["joined", "inferences", "labels"]


class Client:
    """Reads what a driftloop installation has stored; changes nothing, and connects when something is asked for.

    Without arguments: the stack of this folder (``DRIFTLOOP_HOME``), or the one that ``DRIFTLOOP_CLI_…`` names. Otherwise
    give the store's address and keys. Raises UserError when no stack is known.
    """

    def __init__(
        self,
        *,
        s3_endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        bucket: str = "driftloop",
        region: str = "us-east-1",
        stack: StackInfo | None = None,
    ) -> None:
        if s3_endpoint is None:
            self._s3 = (stack or current_stack()).s3
        elif not (s3_endpoint.startswith(("http://", "https://")) and access_key and secret_key):
            raise UserError("s3_endpoint is a URL, http://host:port, and needs access_key and secret_key")
        else:
            self._s3 = S3Settings(
                endpoint=s3_endpoint.rstrip("/"), bucket=bucket, region=region, access_key=access_key, secret_key=secret_key
            )
        self._store = MinioObjectStore(self._s3)

    def snapshots(self, stream: str | None = None) -> list[Stored]:
        """Stream, digest and time of every snapshot, oldest first."""
        return stored_snapshots(self._store, None if stream is None else _checked(stream))

    def dataset(
        self,
        stream: str,
        *,
        table: TableName = "joined",
        as_of: datetime | str | None = None,
        since: datetime | str | None = None,
        known: Known = None,
        snapshot: str | None = None,
        columns: Sequence[str] | None = None,
        labelled_only: bool = False,
    ) -> Dataset:
        """Rows of a stream: its inferences joined with their labels, or one of the two tables.

        Two clocks. ``as_of`` and ``since`` are event times: what happened before, and from then on. ``known`` says what was
        known: everything committed until a wall time, or what lay below offsets, as ``{"flights.labels": {0: 1200}}``
        (partitions and topics that are not named are in as a whole). Times are datetimes or ISO 8601; without a zone: UTC.

        ``snapshot``, the beginning of a digest, gives exactly the rows that were pinned, from verified bytes; it fixes both
        clocks itself. The joined table has one row per event, in the order of event time; ``label`` is null where none was
        known, unless ``labelled_only``. Raises UserError for what is not there, TransientError when the store is away.
        """
        _checked(stream)
        start, end = _time(since), _time(as_of)
        if snapshot is not None:
            if table != "joined" or start or end or known:
                raise UserError("a snapshot fixes table, event time and what was known: give it alone, with columns if wanted")
            return self._snapshot(stream, snapshot, columns, labelled_only)
        tables = [name for name in ("inferences", "labels") if table in ("joined", name)]
        if not tables:
            raise UserError(f"table {table!r} is not one of joined, inferences, labels")
        sides = [self._known(stream, name, known) for name in tables]
        unknown = set(known) - {f"{stream}.{name}" for name in tables} if isinstance(known, Mapping) else set()
        if unknown:
            raise UserError(f"{min(unknown)[:120]!r} is not a topic that {stream}/{table} is filled from")
        if table == "joined":
            schema, batches = joined_rows(*sides, start=start, end=end, columns=columns, labelled_only=labelled_only)
        else:
            schema, batches = table_rows(sides[0], start=start, end=end, columns=columns)
        return Dataset(schema, batches, _provenance(stream, table, start, end, sides))

    def _snapshot(self, stream: str, beginning: str, columns: Sequence[str] | None, labelled_only: bool) -> Dataset:
        _, digest = find_snapshot(self._store, beginning, stream)
        names = None if columns is None else list(columns)
        schema, batches, snapshot = snapshot_rows(self._store, stream, digest, columns=names, labelled_only=labelled_only)
        about = {"stream": stream, "snapshot": digest, "since": snapshot.content.start, "as_of": snapshot.content.end}
        return Dataset(schema, batches, about)

    def _known(self, stream: str, name: str, known: Known) -> as_of_rows.AsOf:
        try:
            table = LakeTable.open(self._s3, stream, name)
        except ObjectNotFound:
            raise UserError(f"the lake has no table {stream}/{name}; see `driftloop datasets list`") from None
        if known is None:
            return as_of_rows.AsOf(table)
        if isinstance(known, datetime):
            return as_of_rows.known_at(table, _aware(known))
        offsets = known.get(f"{stream}.{name}")
        return as_of_rows.AsOf(table) if offsets is None else as_of_rows.known_below(table, offsets)


def _provenance(stream: str, table: str, start: datetime | None, end: datetime | None, sides: list[as_of_rows.AsOf]) -> dict[str, Any]:
    return {
        "stream": stream,
        "table": table,
        "since": start,
        "as_of": end,
        "versions": {side.table.table: side.table.version for side in sides},
        "below": {f"{stream}.{s.table.table}": dict(s.below) for s in sides if s.below is not None} or None,
    }


def _checked(stream: str) -> str:
    if not is_name(stream):
        raise UserError(f"{stream[:80]!r} is no stream's name: lower-case letters, digits and hyphens")
    return stream


def _time(given: datetime | str | None) -> datetime | None:
    return None if given is None else _aware(moment(given) if isinstance(given, str) else given)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
