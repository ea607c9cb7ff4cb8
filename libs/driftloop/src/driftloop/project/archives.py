"""Archives of projects in the store: the one place that fetches them.

A version keeps the archive that it was trained with, which need not be the registered one any more, and may lie under
another name: a project can be renamed.
"""

import io
import zipfile

from driftloop.contracts.names import is_digest
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import IntegrityError, ObjectNotFound, UserError
from driftloop.ports import ObjectStore
from driftloop.project.model import Project, archive_key
from driftloop.project.reading import open_archive
from driftloop.registry.records import ProjectRef
from driftloop.registry.state import ModelState
from driftloop.stored import ObjectLister, ObjectReader, read_verified

MAX_ARCHIVE_BYTES = 16 * 1024 * 1024
_UNREADABLE = (UserError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, ValueError)  # seen of damaged zips


def archive_bytes(store: ObjectLister, project: str, archive: str) -> bytes:
    """The bytes with the sha256 ``archive``, also when the project had another name then.

    Raises ObjectNotFound when no project has them, IntegrityError when they are others, TransientError.
    """
    key = archive_key(project, archive)
    try:
        return read_verified(store, key, archive)
    except ObjectNotFound:
        former = next((found.key for found in store.list("projects/") if _archive_in(found.key) == archive), None)
    if former is None:
        raise ObjectNotFound(key)
    return read_verified(store, former, archive)


def load_project(store: ObjectLister, ref: ProjectRef) -> Project:
    """The registered archive, opened. Raises ObjectNotFound, IntegrityError, TransientError; UserError when this release cannot
    read it."""
    return project_in(store, ref.project, ref.archive)


def project_in(store: ObjectLister, project: str, archive: str) -> Project:
    """Any archive of a project, opened. Raises as ``load_project``."""
    return open_archive(archive_bytes(store, project, archive))


def archive_of(store: ObjectLister, model: ModelState, archive: str) -> bytes:
    """The archive that a version of ``model`` was trained with. Raises IntegrityError when it is gone or others, TransientError."""
    if model.project is None:
        raise IntegrityError(f"no project is registered for the model {model.model}")
    try:
        return archive_bytes(store, model.project.project, archive)
    except ObjectNotFound as exc:
        raise IntegrityError(f"the project archive {archive} is not in the store") from exc


def archived_project(store: ObjectLister, model: ModelState, archive: str) -> Project:
    """The same, opened and checked. Raises UserError, too, when this release cannot read it any more."""
    return open_archive(archive_of(store, model, archive))


def kept_project(store: ObjectReader, project: str, archive: str) -> Project:
    """A copy of the archive, under the project's name. Raises ObjectNotFound, IntegrityError."""
    return open_archive(read_verified(store, archive_key(project, archive), archive))


def uploaded_project(store: ObjectStore, project: str, archive: str) -> Project:
    """An archive that a stranger asks to register, under the project's name, opened with suspicion.

    Raises ObjectNotFound, TransientError, and IntegrityError when it is too large, has other bytes, or is none. Our
    archives are stored uncompressed: what was checked is all that there is to read.
    """
    key = archive_key(project, archive)
    size = store.stat(key).size
    if size > MAX_ARCHIVE_BYTES:
        raise IntegrityError(f"{key} has {size} bytes, expected at most {MAX_ARCHIVE_BYTES}")
    data = read_verified(store, key, archive)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in found.infolist()):
                raise zipfile.BadZipFile("its files are compressed")
        return open_archive(data)
    except _UNREADABLE as exc:
        raise IntegrityError(f"{key} is no project's archive: {exc}") from exc


def archived_schema(store: ObjectLister, project: str, archive: str) -> StreamSchema:
    """The schema that an archive declares. Raises ObjectNotFound, TransientError, and IntegrityError when the archive is damaged
    or this release cannot read it."""
    data = archive_bytes(store, project, archive)
    try:
        return open_archive(data).schema
    except _UNREADABLE as exc:
        raise IntegrityError(f"the project archive {archive} cannot be read: {exc}") from exc


def find_schema(store: ObjectLister, fingerprint: str) -> StreamSchema | None:
    """The schema with that fingerprint, from any archive. Raises IntegrityError when an archive on the way is damaged, TransientError."""
    for found in store.list("projects/"):
        archive = _archive_in(found.key)
        if archive is None:
            continue
        schema = open_archive(read_verified(store, found.key, archive)).schema
        if schema.fingerprint() == fingerprint:
            return schema
    return None


def file_of_archive(data: bytes, name: str) -> bytes:
    """One file of an archive whose digest was checked. Raises IntegrityError when it has no such file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name)
    except (KeyError, zipfile.BadZipFile) as exc:
        raise IntegrityError(f"the project archive has no readable {name}: {exc}") from exc


def _archive_in(key: str) -> str | None:
    """The digest in an archive's key; None for what else lies there."""
    name = key.rpartition("/")[2].removesuffix(".zip")
    return name if key.endswith(".zip") and is_digest(name) else None
