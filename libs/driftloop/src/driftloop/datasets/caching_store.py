"""A store that remembers what was read, for going over many snapshots that share their files."""

from collections.abc import Iterator

from driftloop.ports import ObjectStat, ObjectStore


class RememberedReads:
    """Keeps every object it was asked for in memory. Keeps ``ports.ObjectStore``, for readers; what is written is not remembered."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes:
        if key not in self._kept:
            self._kept[key] = self._store.get(key)
        return self._kept[key]

    def put(self, key: str, data: bytes) -> None:
        self._store.put(key, data)

    def stat(self, key: str) -> ObjectStat:
        return self._store.stat(key)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._store.put_if_absent(key, data)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectStat]:
        return self._store.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self._store.delete(key)
