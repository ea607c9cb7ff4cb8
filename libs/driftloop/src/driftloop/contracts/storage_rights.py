"""Who may do what in the bucket, by the first part of a key: the keys of an installation and the check at start are made from it."""

from typing import NamedTuple

QUARANTINE = "quarantine"  # rejected messages that are too large for the topic
PROBE = "probe"  # whoever may write here tries at start whether the store honours conditional puts


class Rights(NamedTuple):
    """Areas: ``lake`` stands for every key that starts with ``lake/``. Who may write ``probe`` may also delete there."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


RIGHTS: dict[str, Rights] = {
    "ingest": Rights(read=("lake", "projects", "snapshots"), write=("lake", QUARANTINE, PROBE), delete=("lake",)),
    "monitor": Rights(read=("lake", "models", "projects"), write=(QUARANTINE,)),
    "predictor": Rights(read=("models", "projects"), write=(QUARANTINE,)),
    "registry": Rights(read=("models", "projects")),
    "trainer": Rights(read=("lake", "models", "projects", "snapshots"), write=("models", "snapshots")),
    "cli": Rights(read=("lake", "models", "projects", QUARANTINE, "snapshots"), write=("lake", "projects"), delete=("lake", "models")),
}
