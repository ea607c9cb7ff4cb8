"""Which versions an audit rebuilds, and what it records of each."""

import hashlib

from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import VersionReproduced
from driftloop.lineage.reproduction import Reproduction
from driftloop.registry.state import ModelState, ModelVersion


def chosen(model: ModelState, count: int, audit: str) -> list[ModelVersion]:
    """``count`` versions in the order of their numbers, as good as random: the audit's name decides, so that the same
    audit, repeated, takes the same ones. Deleted versions are never chosen."""
    kept = [version for version in model.versions if model.state_of(version.version) != "deleted"]
    drawn = sorted(kept, key=lambda v: hashlib.sha256(f"{audit}\x1f{v.manifest}\x1f{v.version}".encode()).digest())[:count]
    return sorted(drawn, key=lambda v: v.version)


def event_id(audit: str, model: str, version: int) -> str:
    """One record per audit and version, however often it is repeated."""
    return caused_id("reproduced", audit, model, version)


def recorded(found: Reproduction, audit: str) -> VersionReproduced:
    return VersionReproduced(
        model=found.model,
        version=found.version,
        manifest=found.manifest,
        audit=audit,
        level=found.level,
        files={name: pair.same for name, pair in found.files.items()},
        differences=found.differences,
        environment=found.environment,
        code=found.code,
        seconds=found.seconds,
    )


def not_rebuilt(model: str, version: ModelVersion, audit: str, code: str, reason: str) -> VersionReproduced:
    """Something that it was made from is gone or damaged: the finding that an audit is for."""
    return VersionReproduced(
        model=model,
        version=version.version,
        manifest=version.manifest,
        audit=audit,
        level="none",
        files={},
        differences=(),
        environment=None,
        code=code,
        reason=reason,
        seconds=0.0,
    )
