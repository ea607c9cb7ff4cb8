"""The last project and model that worked, on this machine's disk: enough to answer when nothing else can be reached."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from driftloop.contracts.names import Digest, Name
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.errors import ObjectNotFound
from driftloop.ports import ObjectStat
from driftloop.stored import ObjectLister
from driftloop.telemetry import get_logger

POINTER, KEYS = "last-good.json", "keys.json"
PROJECT_FOLDER, MODEL_FOLDER = "project", "model"  # in the folder of an instance's state

Pointer = TypeVar("Pointer", bound=msgspec.Struct)

log = get_logger(__name__)


class Reads:
    """Reads from a store, and remembers what was read, so that it can be kept."""

    def __init__(self, store: ObjectLister) -> None:
        self._store = store
        self.objects: dict[str, bytes] = {}

    def get(self, key: str) -> bytes:
        self.objects[key] = self._store.get(key)
        return self.objects[key]

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        return self._store.list(prefix)


class KeptProject(Part, frozen=True, kw_only=True):
    """Which archive the service worked with last."""

    project: Name
    archive: Digest


class KeptCanary(Part, frozen=True, kw_only=True):
    """Who answered a share of the entities beside it, and by which record."""

    version: int
    epoch: int
    share: int
    manifest: Digest


class KeptModel(Part, frozen=True, kw_only=True):
    """Which version was champion when its files were kept, and under which epoch; what corrected its answers then."""

    model: Name
    version: int
    epoch: int
    manifest: Digest
    recalibration_epoch: int = 0
    recalibration: Recalibration | None = None
    canary_epoch: int = 0
    canary: KeptCanary | None = None


class LastGood(Generic[Pointer]):
    """Objects and a pointer to them, replaced together: whoever reads finds the old set or the new one."""

    def __init__(self, folder: Path, pointer_type: type[Pointer]) -> None:
        self._folder, self._type = folder, pointer_type

    def keep(self, pointer: Pointer, objects: Mapping[str, bytes]) -> None:
        """Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for key, data in objects.items():
            _write(self._path(key), data)
        _write(self._folder / KEYS, msgspec.json.encode(sorted(objects)))
        _write(self._folder / POINTER, msgspec.json.encode(pointer))
        current = {self._path(key) for key in objects} | {self._folder / KEYS, self._folder / POINTER}
        for path in set(self._folder.iterdir()) - current:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def forget(self) -> None:
        """The next start finds nothing here. A disk that does not let go is said in the log: readers look at the registry first."""
        try:
            (self._folder / POINTER).unlink(missing_ok=True)
        except OSError as exc:
            log.warning("last-good-not-forgotten", path=str(self._folder), reason=str(exc))

    def pointer(self) -> Pointer | None:
        """None when nothing usable was kept."""
        path = self._folder / POINTER
        try:
            return msgspec.json.decode(path.read_bytes(), type=prepared(self._type))
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as exc:
            log.warning("last-good-unreadable", path=str(path), reason=str(exc))
            return None

    def get(self, key: str) -> bytes:
        """Raises ObjectNotFound. The reader checks digests here as for any other store."""
        try:
            return self._path(key).read_bytes()
        except OSError as exc:
            raise ObjectNotFound(f"{key}, kept in {self._folder}: {exc}") from exc

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Those of the kept objects whose keys start with ``prefix``, in key order."""
        try:
            keys = msgspec.json.decode((self._folder / KEYS).read_bytes(), type=prepared(list[str]))
        except (OSError, msgspec.MsgspecError):  # kept by an earlier program: objects can be asked for by key only
            return
        for key in keys:
            path = self._path(key)
            if key.startswith(prefix) and path.exists():
                about = path.stat()
                yield ObjectStat(key, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, also after a power cut."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
