"""Stored bytes, checked before anybody uses them: the one comparison of an object with the sha256 that names it."""

import hashlib
from collections.abc import Iterator
from typing import Protocol

from driftloop.errors import IntegrityError
from driftloop.ports import ObjectStat


class ObjectReader(Protocol):
    """The reading half of ``ports.ObjectStore``; copies on a disk keep it, too."""

    def get(self, key: str) -> bytes:
        """Raises ObjectNotFound, TransientError."""


class ObjectLister(ObjectReader, Protocol):
    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key starts with ``prefix``. Raises TransientError."""


def read_verified(store: ObjectReader, key: str, sha256: str, size: int | None = None) -> bytes:
    """The object under ``key``, which has that sha256 (hex) and size in bytes (null: any).

    Raises ObjectNotFound, TransientError, and IntegrityError when the bytes are others.
    """
    data = store.get(key)
    problem = mismatch(key, data, sha256, size)
    if problem is not None:
        raise IntegrityError(problem)
    return data


def mismatch(key: str, data: bytes, sha256: str, size: int | None = None) -> str | None:
    """Why ``data`` is not the object that was named, in a sentence; None when it is."""
    if size is not None and len(data) != size:
        return f"the bytes of {key} are not the ones that were named: there are {len(data)} instead of {size}"
    found = sha256_of(data)
    return None if found == sha256 else f"the bytes of {key} are not the ones that were named: their sha256 is {found}"


def sha256_of(data: bytes) -> str:
    """Hex."""
    return hashlib.sha256(data).hexdigest()
