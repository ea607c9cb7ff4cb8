"""A snapshot's files, each hashed again; where they are too many for that, each there in its full size."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from driftloop.errors import IntegrityError
from driftloop.lake.snapshot import Content, PinnedFile, Snapshot, pinned_bytes
from driftloop.ports import ObjectStore

MANY_BYTES, MANY_FILES = 64 * 1024 * 1024, 1000  # hashed within a second or so
CONNECTIONS = 16


class FilesFound(NamedTuple):
    """``wrong``: a sentence about each file that is gone or changed. ``hashed``: by bytes, not only by size."""

    files: int
    bytes: int
    rows: dict[str, int]
    hashed: bool
    wrong: tuple[str, ...]


def check_files(store: ObjectStore, snapshot: Snapshot, *, every_file: bool = False) -> FilesFound:
    """Raises TransientError."""
    size, files = sum(file.size for file in snapshot.files), snapshot.files
    hashed = every_file or (size <= MANY_BYTES and len(files) <= MANY_FILES)
    prefix = f"lake/{snapshot.content.stream}"
    keys = [f"{prefix}/{file.table}/{file.path}" for file in files]
    if hashed:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            found = list(pool.map(lambda file: pinned_problem(store, snapshot.content, file), files))
    else:
        sizes = {stat.key: stat.size for stat in store.list(f"{prefix}/")}
        found = [_size(key, sizes.get(key), file.size) for key, file in zip(keys, files, strict=True)]
    return FilesFound(len(files), size, snapshot.rows, hashed, tuple(problem for problem in found if problem is not None))


def pinned_problem(store: ObjectStore, content: Content, file: PinnedFile) -> str | None:
    """Why the stored bytes are not the ones that were pinned; None when they are. Raises TransientError."""
    try:
        pinned_bytes(store, content, file)
    except IntegrityError as exc:
        return str(exc)
    return None


def _size(key: str, found: int | None, pinned: int) -> str | None:
    if found is None:
        return f"{key} was pinned and is gone"
    return None if found == pinned else f"{key} has {found} bytes instead of {pinned}"
