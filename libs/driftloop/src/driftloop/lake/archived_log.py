"""Where the old entries of a table's log lie: a thousand to a ZIP file, so that the log stays as short as its readers need it.

An entry is kept to the letter. Entries are compressed a few together: to read one takes the file's directory and those few.
A header says the table's metadata after the last of them, which may be in an entry of long before.
"""

import io
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.filesystem import TableFiles

BLOCK = 1000  # versions in one file, which begin at a multiple of it
FOLDER = "_upkeep/log/"
_HEADER = "header.json"
_MEMBER_BYTES, _MEMBER_ENTRIES = 256 * 1024, 100  # of entries that are compressed together: whichever comes first
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same entries give the same bytes


class _Header(Part, frozen=True, kw_only=True):
    """``metadata``: the table's ``metaData`` action in force after ``last``."""

    first: int
    last: int
    metadata: dict[str, Any] | None


class _Line(Part, frozen=True, kw_only=True):
    version: int
    actions: tuple[msgspec.Raw, ...]


def block_of(version: int) -> int:
    """The first version of the file that an entry belongs to."""
    return version - version % BLOCK


def last_of(first: int) -> int:
    """The last version of the file whose entries begin at ``first``."""
    return first + BLOCK - 1


def archive_path(first: int) -> str:
    """Of that file, below the table's root."""
    return f"{FOLDER}{first:020d}-{last_of(first):020d}.zip"


def packed(first: int, entries: Iterable[tuple[int, bytes]], metadata: dict[str, Any] | None) -> bytes:
    """A file of the archive. ``entries``: version and bytes of each, rising, read once and a few held at a time; ``metadata``:
    the table's ``metaData`` action before them."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for some in _members(entries):
            metadata = next((m for _, data in reversed(some) if (m := _metadata(data)) is not None), metadata)
            name = f"{some[0][0]:020d}-{some[-1][0]:020d}.jsonl"
            file.writestr(_info(name), b"".join(_line(version, data) for version, data in some))
        file.writestr(_info(_HEADER), msgspec.json.encode(_Header(first=first, last=last_of(first), metadata=metadata)))
    return sink.getvalue()


class ArchivedLog:
    """Reads one table's archive, for any number of threads; keeps what was read last, for the next entry is likely to be near."""

    def __init__(self, files: TableFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._kept: dict[int, bytes] = {}  # by version

    def entry(self, version: int) -> bytes:
        """An entry as it was in the log. Raises ObjectNotFound, TransientError, IntegrityError."""
        with self._lock:
            if version not in self._kept:
                self._kept = self._near(version)
            return self._kept[version]

    def metadata_after(self, first: int) -> dict[str, Any] | None:
        """The table's ``metaData`` action in force after the file whose entries begin at ``first``. Raises as ``entry``."""
        with self._opened(first) as file:
            return msgspec.json.decode(file.read(_HEADER), type=prepared(_Header)).metadata

    def _near(self, version: int) -> dict[int, bytes]:
        with self._opened(block_of(version)) as file:
            for name in file.namelist():
                if name != _HEADER and int(name[:20]) <= version <= int(name[21:41]):
                    found = _entries(file.read(name))
                    if version in found:
                        return found
        raise ObjectNotFound(f"entry {version} of {archive_path(block_of(version))}")

    @contextmanager
    def _opened(self, first: int) -> Iterator[zipfile.ZipFile]:
        path = archive_path(first)
        with self._files.open(path) as file:
            try:
                yield zipfile.ZipFile(file)
            except (zipfile.BadZipFile, zlib.error, msgspec.MsgspecError) as exc:
                raise IntegrityError(f"{path} is damaged: {exc}") from exc


def _members(entries: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    some: list[tuple[int, bytes]] = []
    size = 0
    for version, data in entries:
        some.append((version, data))
        size += len(data)
        if size >= _MEMBER_BYTES or len(some) >= _MEMBER_ENTRIES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _line(version: int, data: bytes) -> bytes:
    return b'{"version":%d,"actions":[%s]}\n' % (version, b",".join(data.splitlines()))


def _metadata(data: bytes) -> dict[str, Any] | None:
    """An entry's ``metaData`` action, if it has one; hardly any has."""
    lines = (msgspec.json.decode(line, type=prepared(dict[str, Any])) for line in data.splitlines() if line.startswith(b'{"metaData"'))
    return next((line["metaData"] for line in lines), None)


def _entries(member: bytes) -> dict[int, bytes]:
    lines = (msgspec.json.decode(line, type=prepared(_Line)) for line in member.splitlines())
    return {line.version: b"\n".join(bytes(action) for action in line.actions) for line in lines}


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
