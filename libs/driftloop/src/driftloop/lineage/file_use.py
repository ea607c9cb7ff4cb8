"""From a file of the lake forward: which snapshots pinned it, which versions were trained on them, what those have predicted."""

from collections.abc import Sequence

from driftloop.contracts.events import Table
from driftloop.contracts.values import Part
from driftloop.datasets.snapshots import stored_snapshots
from driftloop.errors import UserError
from driftloop.lake.parquet import in_parallel, sha256_in_name
from driftloop.lake.snapshot import PinnedFile, Snapshot, load_snapshot
from driftloop.lineage.lake_files import LiveFile, live_files, open_inferences
from driftloop.lineage.pinned_files import pinned_problem
from driftloop.lineage.predictions import predictions_by_version
from driftloop.ports import ObjectStore
from driftloop.registry.state import ModelState
from driftloop.settings import S3Settings

MIN_CHARACTERS = 8  # of a digest, to look for
SHOWN_CHARACTERS = 80


class VersionUse(Part, frozen=True, kw_only=True):
    """A version that the file had a part in, and the predictions that it has made since."""

    model: str
    version: int
    snapshot: str
    predictions: int


class FileUse(Part, frozen=True, kw_only=True):
    """``problem``: why the stored bytes are not the file that was pinned. ``holds``: predictions in the file, by version."""

    stream: str
    table: Table
    path: str
    sha256: str
    rows: int
    problem: str | None
    snapshots: tuple[str, ...]
    versions: tuple[VersionUse, ...]
    holds: dict[str, int]


class _Pin(Part, frozen=True, kw_only=True):
    snapshot: Snapshot
    file: PinnedFile


def file_use(store: ObjectStore, s3: S3Settings, models: Sequence[ModelState], ref: str) -> FileUse:
    """``ref``: the file's key, its path below the table, or the beginning of its sha256.

    It is compared with the names that manifests hold, and never becomes part of a key. Raises UserError when no snapshot
    pins such a file or several do, IntegrityError for a damaged manifest, TransientError.
    """
    pins = _pins(store, sorted({model.project.stream for model in models if model.project is not None}), ref)
    names = {(pin.snapshot.content.stream, pin.file.table, pin.file.path): pin for pin in pins}
    shown = repr(ref[:SHOWN_CHARACTERS])
    if not names:
        raise UserError(f"no snapshot names {shown}: give a key, a path or a sha256, as `driftloop datasets show DIGEST` shows them")
    if len(names) > 1:
        keys = sorted(f"lake/{stream}/{table}/{path}" for stream, table, path in names)
        raise UserError(f"{len(keys)} files are meant by {shown}: give one's key, such as {keys[0]}")
    (stream, table, path), pin = next(iter(names.items()))
    snapshots = tuple(sorted({p.snapshot.digest for p in pins}))
    files = _inferences(s3, stream)
    root = f"lake/{stream}/inferences"
    made = predictions_by_version(store, root, files)
    versions = tuple(
        VersionUse(model=m.model, version=v.version, snapshot=v.pins.snapshot, predictions=made[v.version].rows if v.version in made else 0)
        for m in models
        if m.project is not None and m.project.stream == stream
        for v in m.versions
        if v.pins is not None and v.pins.snapshot in snapshots
    )
    problem = pinned_problem(store, pin.snapshot.content, pin.file)
    own = [_unread(path)] if table == "inferences" and problem is None else []
    return FileUse(
        stream=stream,
        table=pin.file.table,
        path=path,
        sha256=pin.file.sha256,
        rows=pin.file.rows,
        problem=problem,
        snapshots=snapshots,
        versions=versions,
        holds={str(version): found.rows for version, found in predictions_by_version(store, root, own).items()},
    )


def _pins(store: ObjectStore, streams: Sequence[str], ref: str) -> list[_Pin]:
    """Every pin of a file that ``ref`` may mean."""
    stored = [found for stream in streams for found in stored_snapshots(store, stream)]
    manifests = in_parallel(lambda found: load_snapshot(store, found.stream, found.digest), stored)
    return [_Pin(snapshot=s, file=file) for s in manifests for file in s.files if _meant(s.content.stream, file, ref)]


def _meant(stream: str, file: PinnedFile, ref: str) -> bool:
    if ref in (file.path, f"lake/{stream}/{file.table}/{file.path}"):
        return True
    return len(ref) >= MIN_CHARACTERS and file.sha256.startswith(ref) and sha256_in_name(file.path) in (None, file.sha256)


def _inferences(s3: S3Settings, stream: str) -> list[LiveFile]:
    return live_files(open_inferences(s3, stream), s3.table_uri(stream, "inferences"))


def _unread(path: str) -> LiveFile:
    """Without statistics: its own bytes are asked. It need not be live: a compaction may have taken its place."""
    return LiveFile(path, 0, None, None, None, None, None, None, None, None)
