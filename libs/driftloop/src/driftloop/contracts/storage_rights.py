"""Who may do what in the bucket, by the first part of a key. The services' rights stand in ``services``, with the table of all."""

from typing import NamedTuple

QUARANTINE = "quarantine"  # rejected messages that are too large for the topic
PROBE = "probe"  # whoever may write here tries at start whether the store honours conditional puts


class Rights(NamedTuple):
    """Areas: ``lake`` stands for every key that starts with ``lake/``. Who may write ``probe`` may also delete there."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


CLI_RIGHTS = Rights(
    read=("gaps", "lake", "models", "projects", QUARANTINE, "references", "snapshots"),
    write=("gaps", "lake", "projects", "references", "snapshots"),
    delete=("lake", "models", "snapshots"),
)
