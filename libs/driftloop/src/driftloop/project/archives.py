"""The project archive that a version was trained with, which need not be the registered one any more."""

import hashlib
import io
import zipfile

from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.project.model import Project, archive_key
from driftloop.registry.state import ModelState


def archive_bytes(store: ObjectStore, model: ModelState, archive: str) -> bytes:
    """The bytes that ``archive`` names, also when the project had another name then.

    Raises IntegrityError when they are gone or others, TransientError.
    """
    if model.project is None:
        raise IntegrityError(f"no project is registered for the model {model.model}")
    key = archive_key(model.project.project, archive)
    try:
        data = store.get(key)
    except ObjectNotFound:  # the project may have been renamed since
        key = next((found.key for found in store.list("projects/") if found.key.endswith(f"/{archive}.zip")), "")
        if not key:
            raise IntegrityError(f"the project archive {archive} is not in the store") from None
        data = store.get(key)
    if hashlib.sha256(data).hexdigest() != archive:
        raise IntegrityError(f"the bytes of {key} are not the ones that were named")
    return data


def archived_project(store: ObjectStore, model: ModelState, archive: str) -> Project:
    """The same, opened and checked. Raises UserError when this release cannot read it any more."""
    from driftloop.project.reading import open_archive

    return open_archive(archive_bytes(store, model, archive))


def file_of_archive(data: bytes, name: str) -> bytes:
    """One file of an archive whose digest was checked. Raises IntegrityError when it has no such file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name)
    except (KeyError, zipfile.BadZipFile) as exc:
        raise IntegrityError(f"the project archive has no readable {name}: {exc}") from exc
