"""Whether the objects that a command names are in the store, byte for byte."""

import hashlib
import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

from driftloop.contracts.names import Digest, is_digest, is_name
from driftloop.contracts.typed import prepared
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.project.archives import uploaded_project
from driftloop.project.model import Project, archive_key
from driftloop.stored import read_verified

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_FILE_BYTES = 1024 * 1024 * 1024
PIECE_BYTES = 1024 * 1024
_FILE_NAME = re.compile(r"[a-z][a-z0-9_-]*\.[a-z0-9]+")


class Store(ObjectStore, Protocol):
    def chunks(self, key: str, size: int) -> Iterator[bytes]:
        """The object's bytes in pieces of at most ``size``. Raises ObjectNotFound, TransientError."""


class _StoredFile(msgspec.Struct):
    sha256: Digest
    size: int


class _Manifest(msgspec.Struct):
    """The part of a manifest that names its files; the rest is the artifact's business."""

    model: str
    request_id: str
    files: dict[str, _StoredFile]


def problem_with_model(store: Store, model: str, request_id: str, manifest: str) -> str | None:
    """Why this manifest cannot become or be served as a version; None when all its objects are there and verify.

    Every size is looked at before a byte is fetched, and files are hashed piece by piece: the memory that this takes does not
    depend on what is stored. Raises TransientError when the store does not answer.
    """
    if not is_name(model) or not is_digest(manifest):
        return "no manifest can have that name"
    folder = f"models/{model}/{manifest}"
    data, problem = _verified(store, f"{folder}/manifest.json", manifest, MAX_MANIFEST_BYTES)
    if data is None:
        return problem
    try:
        content = msgspec.json.decode(data, type=prepared(_Manifest))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        return f"the manifest is unreadable: {exc}"
    if (content.model, content.request_id) != (model, request_id):
        return f"the manifest belongs to request {content.request_id[:80]!r} of model {content.model[:80]!r}"
    misnamed = next((name for name in content.files if not _FILE_NAME.fullmatch(name)), None)
    if misnamed is not None:
        return f"the manifest names a file {misnamed[:80]!r}"
    files = {f"{folder}/{name}": file for name, file in content.files.items()}
    problems = (_wrong_size(store, key, MAX_FILE_BYTES, file.size) for key, file in files.items())
    wrong = next(filter(None, problems), None)
    return wrong or next(filter(None, (_wrong_bytes(store, key, file) for key, file in files.items())), None)


def archived_project(store: Store, project: str, stream: str, model: str, archive: str) -> tuple[Project | None, str | None]:
    """The project in a stored archive, or why that cannot be registered under these names. Raises TransientError."""
    try:
        found = uploaded_project(store, project, archive)
    except ObjectNotFound as exc:
        return None, _missing(str(exc))
    except IntegrityError as exc:
        return None, str(exc)
    if (found.name, found.stream, found.model) != (project, stream, model):
        return None, f"the archive is of project {found.name} with stream {found.stream} and model {found.model}"
    if found.foreign_archive is not None:
        made = msgspec.structs.replace(found, foreign_archive=None).digest()
        key = archive_key(project, archive)
        return None, f"{key} was zipped by something else; driftloop's archive of its files is {made}: use driftloop up --project DIR"
    return found, None


def _verified(store: Store, key: str, sha256: str, most: int) -> tuple[bytes | None, str | None]:
    problem = _wrong_size(store, key, most)
    if problem is not None:
        return None, problem
    try:
        return read_verified(store, key, sha256), None
    except ObjectNotFound:
        return None, _missing(key)
    except IntegrityError as exc:
        return None, str(exc)


def _wrong_size(store: Store, key: str, most: int, named: int | None = None) -> str | None:
    try:
        stored = store.stat(key).size
    except ObjectNotFound:
        return _missing(key)
    if stored > most:
        return f"{key} has {stored} bytes, expected at most {most}"
    return None if named in (None, stored) else f"{key} has {stored} bytes, expected {named}"


def _wrong_bytes(store: Store, key: str, file: _StoredFile) -> str | None:
    digest = hashlib.sha256()
    try:
        for piece in store.chunks(key, PIECE_BYTES):
            digest.update(piece)
    except ObjectNotFound:
        return _missing(key)
    found = digest.hexdigest()
    return None if found == file.sha256 else f"the bytes of {key} are not the ones that were named: their sha256 is {found}"


def _missing(key: str) -> str:
    return f"the store holds no {key}"
