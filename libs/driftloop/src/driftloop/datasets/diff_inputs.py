"""What a comparison needs of either side: a snapshot, or one version of a table."""

import re
from typing import NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import TARGET_TASKS, TargetType
from driftloop.contracts.events import Table
from driftloop.contracts.names import is_name
from driftloop.contracts.schema import RESERVED, Feature, StreamSchema, Target
from driftloop.datasets.as_of import AsOf, known_by_version
from driftloop.datasets.dataset import BATCH_ROWS, table_rows
from driftloop.datasets.snapshots import find_snapshot, schema_of
from driftloop.datasets.versions import columns_at
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.snapshot import load_snapshot, read_snapshot
from driftloop.lake.split import SplitRule
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore
from driftloop.rows.schemas import ARROW_TYPES, kind_of
from driftloop.settings import S3Settings

_TABLE_REF = re.compile(r"(?P<stream>[^/@]+)/(?P<table>inferences|labels)(?:@(?P<version>\d{1,12}))?")


class TableRef(NamedTuple):
    """``STREAM/TABLE`` or ``STREAM/TABLE@VERSION``; without a version the newest."""

    stream: str
    table: Table
    version: int | None


class DiffInput(NamedTuple):
    """``rows``: one per event id, with ``event_id``, the features and, unless it is an inferences table, ``label`` (null: none).

    ``snapshot`` and ``split`` are of snapshots only.
    """

    name: str
    schema: StreamSchema
    rows: pa.Table
    snapshot: str | None = None
    split: SplitRule | None = None

    @property
    def has_labels(self) -> bool:
        return "label" in self.rows.column_names


def table_ref(text: str) -> TableRef | None:
    """None when the text does not look like a table. Raises UserError for a stream that is no name."""
    match = _TABLE_REF.fullmatch(text)
    if match is None:
        return None
    if not is_name(match["stream"]):
        raise UserError(f"{match['stream'][:80]!r} is no stream's name: lower-case letters, digits and hyphens")
    return TableRef(match["stream"], cast(Table, match["table"]), None if match["version"] is None else int(match["version"]))


def open_table(s3: S3Settings, ref: TableRef) -> LakeTable:
    """The table at its version. Raises UserError when there is no such table or version any more, TransientError."""
    newest = _newest(s3, ref)
    if ref.version is None or ref.version == newest.version:
        return newest
    try:
        return newest.at(ref.version)
    except ObjectNotFound:
        raise UserError(
            f"the files of {ref.stream}/{ref.table} at version {ref.version} are not listed any more: that part of its log is in the "
            f"archive. Its rows are all there: `driftloop datasets diff` reads them, and `export --known-at` those of a time"
        ) from None


class TableAt(NamedTuple):
    """What a table held at a version, from its files of now, and the columns that it had then."""

    known: AsOf
    version: int
    columns: pa.Schema


def table_at(s3: S3Settings, ref: TableRef) -> TableAt:
    """Raises UserError when there is no such table or version, TransientError."""
    newest = _newest(s3, ref)
    if ref.version is None or ref.version == newest.version:
        return TableAt(AsOf(newest), newest.version, newest.schema)
    try:
        return TableAt(known_by_version(newest, ref.version), ref.version, columns_at(newest, ref.version))
    except ObjectNotFound:
        raise UserError(f"the log of {ref.stream}/{ref.table} does not reach back to version {ref.version}") from None


def _newest(s3: S3Settings, ref: TableRef) -> LakeTable:
    try:
        newest = LakeTable.open(s3, ref.stream, ref.table)
    except ObjectNotFound:
        raise UserError(f"the lake has no table {ref.stream}/{ref.table}; see `driftloop datasets list`") from None
    if ref.version is not None and ref.version > newest.version:
        raise UserError(f"table {ref.stream}/{ref.table} has no version {ref.version}: its newest is {newest.version}")
    return newest


def side(store: ObjectStore, s3: S3Settings, text: str) -> DiffInput:
    """Read what ``text`` names: the beginning of a snapshot's digest, or STREAM/TABLE[@VERSION].

    Raises UserError, TransientError, and IntegrityError when a snapshot's bytes are not those that were pinned.
    """
    ref = table_ref(text)
    if ref is not None:
        return _table_side(table_at(s3, ref))
    stream, digest = find_snapshot(store, text)
    snapshot = load_snapshot(store, stream, digest)
    schema = schema_of(store, snapshot)
    rows = read_snapshot(store, snapshot, schema, columns=["event_id", *schema.feature_names], keep_unlabelled=True)
    return DiffInput(f"{stream} {digest[:12]}", schema, rows.drop_columns(["label_time"]), digest, snapshot.content.split)


def _table_side(at: TableAt) -> DiffInput:
    table, schema = at.known.table, _schema_of_columns(at.known.table, at.columns)
    name = f"{table.stream}/{table.table}@{at.version}"
    if table.table == "labels":
        found, batches = table_rows(at.known, columns=["event_id", "label", "label_time", "partition", "offset"])
        order = [("label_time", "descending"), ("partition", "descending"), ("offset", "descending"), ("label", "descending")]
        rows = pa.Table.from_batches(batches(BATCH_ROWS), found).sort_by(order)
        return DiffInput(name, schema, _first_each(rows).select(["event_id", "label"]))
    found, batches = table_rows(at.known, columns=["event_id", *schema.feature_names, "scored_at", "partition", "offset"])
    rows = pa.Table.from_batches(batches(BATCH_ROWS), found).sort_by([(n, "ascending") for n in ("scored_at", "partition", "offset")])
    return DiffInput(name, schema, _first_each(rows).select(["event_id", *schema.feature_names]))


def _first_each(rows: pa.Table) -> pa.Table:
    """The first row of each event id."""
    numbered = pa.table({"event_id": rows.column("event_id"), "at": pa.array(range(rows.num_rows), pa.int64())})
    first = numbered.group_by("event_id").aggregate([("at", "min")]).column("at_min")
    return rows.take(pc.sort_indices(first)) if rows.num_rows == len(first) else rows.take(first.take(pc.sort_indices(first)))


def _schema_of_columns(table: LakeTable, columns: pa.Schema) -> StreamSchema:
    """A declared schema as far as columns tell it: which features are optional they do not."""
    target = columns.field("label" if table.table == "labels" else "prediction").type
    declared = ((f.name, kind_of(f.type)) for f in columns if f.name not in RESERVED)
    features = [Feature(name=name, type=kind) for name, kind in declared if kind is not None]
    predicted: TargetType = next(kind for kind in TARGET_TASKS if ARROW_TYPES[kind] == target)
    return StreamSchema(stream=table.stream, features=tuple(features), target=Target(name="label", type=predicted))
