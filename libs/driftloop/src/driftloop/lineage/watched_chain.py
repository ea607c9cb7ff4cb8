"""What is known of a version that is served elsewhere: its name there and what it is compared with. There is nothing behind it."""

from typing import Any

from driftloop.contracts.watched import Reference, Watched, reference_key
from driftloop.lineage.chain import Link, checked
from driftloop.ports import ObjectStore
from driftloop.registry.state import ModelVersion
from driftloop.statistics.profile import Profile
from driftloop.stored import read_verified

NO_ARTIFACT = "no artifact: it cannot be rebuilt here"


def watched_chain(store: ObjectStore, version: ModelVersion, watched: Watched) -> list[Link]:
    """Raises TransientError."""
    what = f"version {version.version} of {version.model} is served elsewhere, as {watched.served_as}; {NO_ARTIFACT}"
    known: dict[str, Any] = {"served_as": watched.served_as, "digest": version.manifest, "artifact": None}
    chain = [Link(link="model version", ok=True, what=what, details=known)]
    reference = watched.reference
    if reference is None:
        return [*chain, Link(link="reference", ok=True, what="none was chosen: its rows are counted, and not compared")]
    window = f"{reference.window.start.isoformat()} to {reference.window.end.isoformat()}"
    return [*chain, checked("reference", f"{reference.rows:,} rows of {window}", lambda: _check(store, version.model, reference))]


def _check(store: ObjectStore, model: str, reference: Reference) -> dict[str, Any]:
    profile = Profile.decode(read_verified(store, reference_key(model, reference.profile), reference.profile))
    return {"profile": reference.profile, "columns": len(profile.columns), "scores_of": reference.served_as}
