"""Which files of a table any snapshot names, known without opening every manifest each time.

A manifest never changes, so what it names is remembered, in an object beside the table: the manifests that were read and the
paths that they name. Only those that came since are opened. The listing of the manifests is always of now, so what the index
does not cover is read; an index that covers a manifest which was given up, or that is damaged or missing, is made anew.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, StreamName
from driftloop.errors import ObjectNotFound
from driftloop.lake.manifests import Manifests, listed_manifests
from driftloop.lake.parquet import in_parallel
from driftloop.lake.snapshot import read_manifest
from driftloop.ports import ObjectStat, ObjectStore

_PATH = "_upkeep/pins.json"


class _Index(Part, frozen=True, kw_only=True):
    """``manifests``: name of each that was read, with its size and time, by which one that was written over would be noticed."""

    manifests: dict[str, str]
    paths: tuple[str, ...]


class PinIndex:
    """The pins of one table's files. For one thread. Raises TransientError, IntegrityError when a manifest cannot be read."""

    def __init__(self, store: ObjectStore, stream: StreamName, table: Literal["inferences", "labels"]) -> None:
        self._store, self._stream, self._table = store, stream, table
        self._key = f"lake/{stream}/{table}/{_PATH}"
        self._read: Mapping[str, str] | None = None  # None: nothing is known yet
        self._paths: frozenset[str] = frozenset()
        self._stored: Mapping[str, str] = {}

    def paths(self) -> frozenset[str]:
        """Every file that a manifest names which was not given up, as of now."""
        kept = {stat.key: stat for found in self._listed().values() for stat in found.kept}
        if self._read is None:
            self._load()
        wanted = {key.rpartition("/")[2]: _stamp(stat) for key, stat in kept.items()}
        if any(wanted.get(name) != stamp for name, stamp in (self._read or {}).items()):
            self._read, self._paths = {}, frozenset()
        known = self._read or {}
        new = [key for key in kept if key.rpartition("/")[2] not in known]
        manifests = in_parallel(lambda key: read_manifest(self._store, key, key.rpartition("/")[2][:64]), new)
        self._paths |= {file.path for snapshot in manifests for file in snapshot.files if file.table == self._table}
        self._read = wanted
        return self._paths

    def save(self) -> None:
        """Remember what was read, for the next who asks. Two who do so at once leave what one of them has read."""
        if self._read is not None and self._read != self._stored:
            self._store.put(self._key, msgspec.json.encode(_Index(manifests=dict(self._read), paths=tuple(sorted(self._paths)))))
            self._stored = self._read

    def _load(self) -> None:
        try:
            index = msgspec.json.decode(self._store.get(self._key), type=prepared(_Index))
        except (ObjectNotFound, msgspec.MsgspecError, UnicodeDecodeError):
            self._read = {}
        else:
            self._read = self._stored = index.manifests
            self._paths = frozenset(index.paths)

    def _listed(self) -> Mapping[str, Manifests]:
        return listed_manifests(self._store.list(f"snapshots/{self._stream}/"))


def _stamp(stat: ObjectStat) -> str:
    return f"{stat.size} {stat.modified.isoformat()}"
