"""Whether the objects that a command names are in the store, byte for byte."""

import hashlib
import re

import msgspec

from driftloop.contracts.names import Digest, is_digest, is_name
from driftloop.errors import ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.project import archive_key

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_FILE_BYTES = 1024 * 1024 * 1024
_FILE_NAME = re.compile(r"[a-z][a-z0-9_-]*\.[a-z0-9]+")


class _StoredFile(msgspec.Struct):
    sha256: Digest
    size: int


class _Manifest(msgspec.Struct):
    """The part of a manifest that names its files; the rest is the artifact's business."""

    model: str
    request_id: str
    files: dict[str, _StoredFile]


def problem_with_model(store: ObjectStore, model: str, request_id: str, manifest: str) -> str | None:
    """Why this manifest cannot become or be served as a version; None when all its objects are there and verify.

    Raises TransientError when the store does not answer.
    """
    if not is_name(model) or not is_digest(manifest):
        return "no manifest can have that name"
    folder = f"models/{model}/{manifest}"
    data, problem = _verified(store, f"{folder}/manifest.json", manifest, None, MAX_MANIFEST_BYTES)
    if data is None:
        return problem
    try:
        content = msgspec.json.decode(data, type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        return f"the manifest is unreadable: {exc}"
    if (content.model, content.request_id) != (model, request_id):
        return f"the manifest belongs to request {content.request_id[:80]!r} of model {content.model[:80]!r}"
    for name, file in content.files.items():
        if not _FILE_NAME.fullmatch(name):
            return f"the manifest names a file {name[:80]!r}"
        data, problem = _verified(store, f"{folder}/{name}", file.sha256, file.size, MAX_FILE_BYTES)
        if data is None:
            return problem
    return None


def problem_with_archive(store: ObjectStore, project: str, archive: str) -> str | None:
    """Why this archive cannot be registered; None when it is there and verifies. Raises TransientError."""
    return _verified(store, archive_key(project, archive), archive, None, MAX_MANIFEST_BYTES)[1]


def _verified(store: ObjectStore, key: str, sha256: str, size: int | None, most: int) -> tuple[bytes | None, str | None]:
    try:
        stored = store.stat(key).size
        if stored > most or (size is not None and stored != size):
            return None, f"{key} has {stored} bytes, expected {size if size is not None else f'at most {most}'}"
        data = store.get(key)
    except ObjectNotFound:
        return None, f"the store holds no {key}"
    if hashlib.sha256(data).hexdigest() != sha256:
        return None, f"{key} is not the object that was named: its sha256 differs"
    return data, None
