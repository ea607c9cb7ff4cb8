"""Whether the objects that a command names are in the store, byte for byte."""

import re

import msgspec

from driftloop.contracts.names import Digest, is_digest, is_name
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.project.archives import uploaded_project
from driftloop.stored import read_verified

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


def archived_schema(
    store: ObjectStore, project: str, stream: str, archive: str, fingerprint: str
) -> tuple[StreamSchema | None, str | None]:
    """The schema in a project's archive, or why the archive cannot be registered. Raises TransientError."""
    try:
        schema = uploaded_project(store, project, archive).schema
    except ObjectNotFound as exc:
        return None, f"the store holds no {exc}"
    except IntegrityError as exc:
        return None, str(exc)
    if (schema.stream, schema.fingerprint()) != (stream, fingerprint):
        return None, f"the archive declares the stream {schema.stream} with the schema {schema.fingerprint()}"
    return schema, None


def _verified(store: ObjectStore, key: str, sha256: str, size: int | None, most: int) -> tuple[bytes | None, str | None]:
    try:
        stored = store.stat(key).size
        if stored > most or (size is not None and stored != size):
            return None, f"{key} has {stored} bytes, expected {size if size is not None else f'at most {most}'}"
        return read_verified(store, key, sha256), None
    except ObjectNotFound:
        return None, f"the store holds no {key}"
    except IntegrityError as exc:
        return None, str(exc)
