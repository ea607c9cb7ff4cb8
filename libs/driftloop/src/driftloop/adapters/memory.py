"""The ports in memory: for tests and for trying things out, held to the same suites as the real adapters."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from driftloop.adapters.memory_broker import MemoryBroker, MemoryConsumer, MemoryProducer
from driftloop.errors import ObjectNotFound
from driftloop.ports import ObjectStat


class FixedClock:
    """Keeps ``ports.Clock``; stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


class SystemClock:
    """Keeps ``ports.Clock``."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class MemoryStore:
    """Keeps ``ports.ObjectStore``."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._objects[key] = (bytes(data), datetime.now(UTC))

    def get(self, key: str) -> bytes:
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFound(key)
            return self._objects[key][0]

    def chunks(self, key: str, size: int) -> Iterator[bytes]:
        """The object's bytes in pieces of at most ``size``."""
        data = self.get(key)
        yield from (data[at : at + size] for at in range(0, len(data), size))

    def stat(self, key: str) -> ObjectStat:
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFound(key)
            data, modified = self._objects[key]
            return ObjectStat(key, len(data), modified)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._lock:
            absent = key not in self._objects
            if absent:
                self._objects[key] = (bytes(data), datetime.now(UTC))
            return absent

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectStat]:
        with self._lock:
            keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return (self.stat(key) for key in keys)

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)


__all__ = ["FixedClock", "MemoryBroker", "MemoryConsumer", "MemoryProducer", "MemoryStore", "SystemClock"]
