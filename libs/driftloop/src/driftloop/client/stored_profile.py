"""The stored profile that describes a snapshot: of a model version that was fitted on all of it."""

from driftloop.artifact.model_files import PROFILE, load_file, load_manifest
from driftloop.client.connections import Connections
from driftloop.client.training_use import training_use
from driftloop.datasets.diff import Reference, StoredProfile
from driftloop.datasets.diff_inputs import DiffInput
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.project.model import ALL
from driftloop.statistics.profile import Profile


def stored_profile(to: Connections, described: DiffInput) -> StoredProfile | None:
    """None when nobody fitted all of the side's rows, or those files are gone: then a profile is made. Raises TransientError."""
    if described.snapshot is None:
        return None
    for run in training_use(to).get(described.snapshot, []):
        if run.version is None or run.manifest is None:
            continue
        try:
            manifest = load_manifest(to.store, run.model, run.manifest)
            if manifest.recipe != ALL or manifest.schema_fingerprint != described.schema.fingerprint():
                continue
            profile = Profile.decode(load_file(to.store, manifest, run.manifest, PROFILE))
        except (ObjectNotFound, IntegrityError):
            continue  # `models` and `trace` are who complains about that
        return StoredProfile(Reference(model=run.model, version=run.version, profile=manifest.files[PROFILE].sha256), profile)
    return None
