"""An audit: which versions it rebuilds, and what it records of each."""

import hashlib
from collections.abc import Callable, Mapping

from driftloop.code_version import code_version
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import VersionReproduced
from driftloop.contracts.topics import REPRODUCTIONS
from driftloop.crashpoints import crash_point
from driftloop.errors import IntegrityError, UserError
from driftloop.lineage.reproduction import Reproduction
from driftloop.ports import EventPublisher
from driftloop.registry.state import ModelState, ModelVersion

MAX_NAME_CHARACTERS = 200


def audit_name(name: str) -> str:
    """Raises UserError."""
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise UserError(f"an audit's name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    return name


def run_audit(
    model: ModelState,
    count: int,
    audit: str,
    *,
    recorded_before: Mapping[int, VersionReproduced],
    rebuild: Callable[[int], Reproduction],
    publisher: EventPublisher,
    on_version: Callable[[int, int, int], None],
) -> list[VersionReproduced]:
    """What came of each version, those that the same audit has recorded before included: they are not rebuilt again.

    ``on_version`` is told the version, its place and how many there are. A version that cannot be rebuilt is a finding,
    not an error. Raises UserError when the model has no version, TransientError: what was recorded until then stays.
    """
    versions = chosen(model, count, audit)
    if not versions:
        raise UserError(f"the model {model.model} has no version to audit")
    results = []
    for number, version in enumerate(versions, 1):
        on_version(version.version, number, len(versions))
        event = recorded_before.get(version.version)
        if event is None:
            try:
                event = recorded(rebuild(version.version), audit)
            except (IntegrityError, UserError) as exc:
                event = not_rebuilt(model.model, version, audit, code_version(), str(exc))
            crash_point("audit.before-event")
            publisher.publish(REPRODUCTIONS, event, key=model.model, id=event_id(audit, model.model, version.version))
        results.append(event)
    return results


def chosen(model: ModelState, count: int, audit: str) -> list[ModelVersion]:
    """``count`` versions in the order of their numbers, as good as random: the audit's name decides, so that the same
    audit, repeated, takes the same ones. Deleted versions are never chosen, nor those that are served elsewhere."""
    kept = [version for version in model.versions if version.pins is not None and model.state_of(version.version) != "deleted"]
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
