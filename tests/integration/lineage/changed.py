"""The world made worse for a moment."""

from driftloop.ports import ObjectStore


class Changed:
    """An object with other bytes, or gone (None), while the block runs."""

    def __init__(self, store: ObjectStore, key: str, data: bytes | None) -> None:
        self._store, self._key, self._data = store, key, data

    def __enter__(self) -> None:
        self._before = self._store.get(self._key)
        if self._data is None:
            self._store.delete(self._key)
        else:
            self._store.put(self._key, self._data)

    def __exit__(self, *_: object) -> None:
        self._store.put(self._key, self._before)
