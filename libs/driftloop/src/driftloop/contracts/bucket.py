"""Who may do what in the bucket, by the first part of a key: the keys of an installation and the check at start are made from it."""

from typing import NamedTuple

PROBE = "probe"  # whoever may write here tries at start whether the store honours conditional puts


class Rights(NamedTuple):
    """Areas: ``lake`` stands for every key that starts with ``lake/``. Only in ``probe`` may anything be deleted."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()


RIGHTS: dict[str, Rights] = {
    "ingest": Rights(read=("lake", "projects"), write=("lake", PROBE)),
    "monitor": Rights(read=("lake", "models", "projects")),
    "predictor": Rights(read=("models", "projects")),
    "registry": Rights(read=("models", "projects")),
    "trainer": Rights(read=("lake", "models", "projects", "snapshots"), write=("models", "snapshots")),
    "cli": Rights(read=("lake", "models", "projects", "snapshots"), write=("projects",)),
}
