"""Marks: a data file that is to be deleted says so, in an object beside it, for as long as it is there and a while longer.

Whoever deletes puts the mark, lists the snapshots' manifests after that, and deletes a file that none of them names; its
mark goes last. Whoever pins stores the manifest, and after that looks for marks, then for the files. However slow either
is: the manifest was there when the manifests were listed, or the mark is there when marks are looked for, or the file is
seen to be gone. So a manifest that passed the look keeps its files for ever. A mark is never taken back.
"""

from collections.abc import Iterable

from driftloop.errors import ObjectNotFound
from driftloop.lake.parquet import in_parallel
from driftloop.ports import ObjectStat, ObjectStore

_FOLDER = "_upkeep/marks/"  # readers of Delta tables pass over names that begin with an underscore


def mark_key(root: str, path: str) -> str:
    return f"{root}/{_FOLDER}{path}"


def marks(store: ObjectStore, root: str) -> dict[str, ObjectStat]:
    """The marks of a table by the marked file's path below ``root``. Raises TransientError."""
    prefix = f"{root}/{_FOLDER}"
    return {found.key.removeprefix(prefix): found for found in store.list(prefix)}


def doomed(store: ObjectStore, root: str, paths: Iterable[str]) -> list[str]:
    """Those of a table's files that are marked or missing. Raises TransientError."""
    wanted = set(paths)
    if not wanted:
        return []
    marked = wanted & marks(store, root).keys()  # before looking for the files: a mark goes after its file
    return sorted(marked | (wanted - _present(store, root, wanted)))


def _present(store: ObjectStore, root: str, paths: set[str]) -> set[str]:
    """By listing the folders that hold them: a thousand names in one answer."""
    folders = sorted({path.rpartition("/")[0] for path in paths})
    inside = {found.key for folder in folders if folder for found in store.list(f"{root}/{folder}/")}
    present = {path for path in paths if f"{root}/{path}" in inside}
    alone = [path for path in sorted(paths) if "/" not in path]  # of other writers
    return present | {path for path, there in zip(alone, in_parallel(lambda p: _there(store, f"{root}/{p}"), alone), strict=True) if there}


def _there(store: ObjectStore, key: str) -> bool:
    try:
        store.stat(key)
    except ObjectNotFound:
        return False
    return True
