"""A version's folder in the store: ``models/<model>/<digest of its manifest>/``, written once, verified on every read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from driftloop.contracts.estimator_files import SKOPS_FILE, format_of_file
from driftloop.contracts.evolution import unscorable
from driftloop.contracts.names import Digest, is_digest, is_name
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import GateMeasurements, ModelName, Part, TrainingPins
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.ports import ObjectStore
from driftloop.project.archives import archived_schema
from driftloop.stored import ObjectLister, ObjectReader, read_verified, sha256_of

if TYPE_CHECKING:
    from driftloop.artifact.scoring import Scorer

MANIFEST, MODEL, PROFILE, CARD, LINEAGE = "manifest.json", SKOPS_FILE, "profile.json", "card.md", "lineage.json"
FILES = (MODEL, PROFILE, CARD, LINEAGE)  # of every version; beside them one of each estimator that its library stores
MAX_MANIFEST_BYTES = 1024 * 1024


class StoredFile(Part, frozen=True, kw_only=True):
    sha256: Digest
    size: int


class Manifest(Part, frozen=True, kw_only=True):
    """What a model version is made of and how it came about. Its digest names the version, so it holds no wall time."""

    model: ModelName
    request_id: str
    schema_fingerprint: Digest
    recipe: str
    rows: int
    pins: TrainingPins
    measurements: GateMeasurements | None
    environment: dict[str, Any]
    files: dict[str, StoredFile]
    recalibrations: tuple[RecalibrationProposal, ...] | msgspec.UnsetType = msgspec.UNSET  # absent: the run proposed none
    aged: dict[str, tuple[float, ...]] | msgspec.UnsetType = msgspec.UNSET  # by recipe that is measured within the window, of its runs

    def encode(self) -> bytes:
        """Canonical JSON: keys sorted, no spaces."""
        return msgspec.json.encode(self, order="deterministic")


class LoadedModel:
    """A verified version, ready to score."""

    def __init__(self, scorer: "Scorer", manifest: Manifest, digest: str, profile_bytes: bytes) -> None:
        self.scorer = scorer
        self.manifest = manifest
        self.digest = digest
        self.profile_bytes = profile_bytes
        self.profile_digest = manifest.files[PROFILE].sha256


def models_of(names: Iterable[str]) -> tuple[str, ...]:
    """Of a version's files those that make the model: MODEL, and the estimators' own."""
    return (MODEL, *sorted(name for name in names if format_of_file(name) is not None))


def files_of(manifest: Manifest) -> tuple[str, ...]:
    """All of a version: FILES, and the estimators' own."""
    return (*FILES, *models_of(manifest.files)[1:])


def model_key(model: str, manifest: str, file: str) -> str:
    """Key of one file of a version. Names and digests only: a path cannot be smuggled in."""
    if not is_name(model) or not is_digest(manifest) or not (file in (*FILES, MANIFEST) or format_of_file(file)):
        raise ValueError(f"no file of a model version: {model!r} {manifest!r} {file!r}")
    return f"models/{model}/{manifest}/{file}"


def stored_files(contents: Mapping[str, bytes]) -> dict[str, StoredFile]:
    """Digest and size of each file, for the manifest."""
    return {name: StoredFile(sha256=sha256_of(data), size=len(data)) for name, data in contents.items()}


def store_model(store: ObjectStore, manifest: Manifest, contents: Mapping[str, bytes]) -> str:
    """Store a version's files, the manifest last, so that a manifest never names what is not there. Returns its digest."""
    if set(contents) != set(files_of(manifest)) or stored_files(contents) != manifest.files:
        raise ValueError("the manifest does not describe these files")
    data = manifest.encode()
    digest = sha256_of(data)
    for name in files_of(manifest):
        store.put(model_key(manifest.model, digest, name), contents[name])
    store.put(model_key(manifest.model, digest, MANIFEST), data)
    return digest


def load_manifest(store: ObjectReader, model: str, digest: str) -> Manifest:
    """Raises ObjectNotFound, IntegrityError, TransientError."""
    data = read_verified(store, model_key(model, digest, MANIFEST), digest)
    if len(data) > MAX_MANIFEST_BYTES:
        raise IntegrityError(f"models/{model}/{digest}: the manifest has {len(data)} bytes, more than {MAX_MANIFEST_BYTES}")
    try:
        manifest = msgspec.json.decode(data, type=prepared(Manifest))
    except msgspec.MsgspecError as exc:
        raise IntegrityError(f"models/{model}/{digest}: unreadable manifest: {exc}") from exc
    if manifest.model != model or set(manifest.files) != set(files_of(manifest)):
        raise IntegrityError(f"models/{model}/{digest}: the manifest is of another model")
    for name, file in manifest.files.items():
        row = format_of_file(name)
        if row is not None and file.size > row.max_bytes:
            raise IntegrityError(f"models/{model}/{digest}: {name} has {file.size} bytes, more than {row.max_bytes}")
    return manifest


def load_file(store: ObjectReader, manifest: Manifest, digest: str, name: str) -> bytes:
    """One file of a version, verified. Raises IntegrityError when it is gone or damaged, TransientError."""
    key, expected = model_key(manifest.model, digest, name), manifest.files[name]
    try:
        return read_verified(store, key, expected.sha256, expected.size)
    except ObjectNotFound as exc:
        raise IntegrityError(f"{key} is missing") from exc


def load_models(store: ObjectReader, manifest: Manifest, digest: str) -> dict[str, bytes]:
    """The files that make the model, verified, by name; ``pipeline_files`` makes a pipeline of them. Raises as ``load_file``."""
    return {name: load_file(store, manifest, digest, name) for name in models_of(manifest.files)}


def trained_schema(store: ObjectLister, manifest: Manifest, project: str | None, rows: StreamSchema) -> StreamSchema:
    """The schema that a version was trained under, which must be able to score ``rows``.

    Raises IntegrityError when it is not, or cannot be had; TransientError.
    """
    about = f"version {manifest.request_id} of {manifest.model}"
    if project is None:
        raise IntegrityError(f"{about} was trained for another schema of the stream {rows.stream}")
    try:
        schema = archived_schema(store, project, manifest.pins.project)
    except ObjectNotFound as exc:
        raise IntegrityError(f"{about} was trained under an earlier schema, and its project's archive is gone: {exc}") from exc
    if schema.fingerprint() != manifest.schema_fingerprint:
        raise IntegrityError(f"{about} was trained under a schema that its project's archive does not have")
    problem = unscorable(schema, rows)
    if problem is not None:
        raise IntegrityError(f"{about} cannot score the stream as it is now: {problem}")
    return schema


def load_model(
    store: ObjectLister, model: str, manifest: str, schema: StreamSchema, trusted: Sequence[str], *, project: str | None = None
) -> LoadedModel:
    """Fetch, verify and load a version that scores rows of ``schema``; nothing is parsed before its digest matches.

    A version that was trained under an earlier schema of the stream takes its features from the archive that it was trained
    with, of ``project`` or of what that was called then. Raises ObjectNotFound when there is no such version, IntegrityError
    when its bytes are not the ones that were named, it holds types that are not trusted, or rows of ``schema`` lack what it
    needs; TransientError when the store is away.
    """
    about = load_manifest(store, model, manifest)
    if about.schema_fingerprint != schema.fingerprint():
        schema = trained_schema(store, about, project, schema)
    from driftloop.artifact import pipeline_files  # scikit-learn: only for those who load models, not for all who read manifests
    from driftloop.artifact.scoring import Scorer

    pipeline = pipeline_files.load(load_models(store, about, manifest), trusted)
    return LoadedModel(Scorer(pipeline, schema), about, manifest, load_file(store, about, manifest, PROFILE))
