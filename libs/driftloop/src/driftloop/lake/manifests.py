"""Under which keys the manifests of snapshots lie, and which of them stands.

A manifest is stored once and never written over. The first of a digest is ``<digest>.json``; when a file that it names is
about to be deleted, or gone, the same content is pinned again as ``<digest>.1.json``, and so on: the one with the highest
number stands. ``<digest>.1.expired.json`` says that those up to number 1 were given up, and stays: no number comes twice.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from driftloop.contracts.names import is_digest
from driftloop.contracts.values import Part, Time
from driftloop.ports import ObjectStat, ObjectStore

_NAME = re.compile(r"(?P<digest>[0-9a-f]{64})(?:\.(?P<nth>\d{1,9}))?(?P<expired>\.expired)?\.json")


class Expired(Part, frozen=True, kw_only=True):
    """A snapshot was given up: its files may be deleted. ``by`` and ``reason``: whose decision, and why."""

    at: Time
    by: str
    reason: str


class Manifests(NamedTuple):
    """What the store has of one digest, by rising number. ``kept``: the manifests whose files must stay, all but those in
    ``ended``, for somebody may be reading by an earlier one than that which stands."""

    number: int  # of the newest manifest or end; -1: there is none
    kept: tuple[ObjectStat, ...] = ()
    ended: tuple[ObjectStat, ...] = ()
    end: str | None = None  # key of the newest record of an end

    @property
    def standing(self) -> ObjectStat | None:
        """Null when there is none, or none since the end."""
        return self.kept[-1] if self.kept else None


def snapshot_key(stream: str, digest: str, number: int = 0) -> str:
    return f"snapshots/{stream}/{digest}{f'.{number}' if number else ''}.json"


def expired_key(stream: str, digest: str, number: int) -> str:
    """Of the record that the manifests up to ``number`` were given up."""
    return f"snapshots/{stream}/{digest}.{number}.expired.json"


def manifests_of(store: ObjectStore, stream: str, digest: str) -> Manifests:
    """Raises TransientError."""
    return listed_manifests(store.list(f"snapshots/{stream}/{digest}.")).get(digest, Manifests(-1))


def listed_manifests(found: Iterable[ObjectStat]) -> Mapping[str, Manifests]:
    """By digest, in the listing's order. Whatever else lies there is no snapshot."""
    numbered: dict[str, dict[int, ObjectStat]] = {}
    ends: dict[str, dict[int, str]] = {}
    for stat in found:
        match = _NAME.fullmatch(stat.key.rpartition("/")[2])
        if match is None or not is_digest(match["digest"]):
            continue
        number = int(match["nth"] or 0)
        if match["expired"]:
            ends.setdefault(match["digest"], {})[number] = stat.key
        else:
            numbered.setdefault(match["digest"], {})[number] = stat
    return {digest: _of(numbered.get(digest, {}), ends.get(digest, {})) for digest in dict.fromkeys([*numbered, *ends])}


def _of(numbered: Mapping[int, ObjectStat], ends: Mapping[int, str]) -> Manifests:
    end = max(ends, default=-1)
    rising = sorted(numbered.items())
    return Manifests(
        number=max(end, *numbered) if numbered else end,
        kept=tuple(stat for number, stat in rising if number > end),
        ended=tuple(stat for number, stat in rising if number <= end),
        end=ends.get(end),
    )
