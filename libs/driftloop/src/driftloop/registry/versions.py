"""How a version comes, and how it goes: a number is given once, and the record of a deleted version stays."""

from collections.abc import Iterable

import msgspec

from driftloop.contracts.commands import DeleteVersion, RefuseRun, RegisterVersion
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.names import is_digest
from driftloop.registry.outcomes import MAX_ID_LENGTH, MAX_REASON_LENGTH, Change, closed, refused, was
from driftloop.registry.state import ModelState, ModelVersion, Outcome, RefusedRun


def register_version(model: ModelState, command: RegisterVersion) -> Change:
    if not is_digest(command.manifest):
        return refused("manifest must be a sha256 digest")
    if not 0 < len(command.request_id) <= MAX_ID_LENGTH:
        return refused(f"a request id has 1 to {MAX_ID_LENGTH} characters")
    known = model.by_request(command.request_id)
    if known is not None and known.manifest == command.manifest:
        return Change(Outcome(accepted=True, reason=f"version {known.version} already", version=known.version))
    if known is not None:
        reason = f"request {command.request_id} gave version {known.version} with another manifest"
        return refused(reason, version=known.version)
    ruled_out = model.refused_runs.get(command.request_id)
    if ruled_out is not None:
        return refused(f"request {command.request_id} was decided against: {ruled_out.problem}")
    version = ModelVersion(
        model=model.model,
        version=len(model.versions) + 1,
        request_id=command.request_id,
        manifest=command.manifest,
        pins=command.pins,
        registered_at=command.at,
    )
    after = msgspec.structs.replace(
        model, versions=(*model.versions, version), requests=model.requests.added(version.request_id, version.version)
    )
    return Change(Outcome(accepted=True, reason=f"version {version.version}", version=version.version), after)


def refuse_run(model: ModelState, command: RefuseRun) -> Change:
    """The first verdict on a request stands: a version is not taken back, and what was refused never becomes one."""
    if not 0 < len(command.request_id) <= MAX_ID_LENGTH:
        return refused(f"a request id has 1 to {MAX_ID_LENGTH} characters")
    version = model.by_request(command.request_id)
    if version is not None:
        return refused(f"request {command.request_id} gave version {version.version}", version=version.version)
    known = model.refused_runs.get(command.request_id)
    if known is not None:
        return refused(known.problem)
    run = RefusedRun(
        model=model.model, request_id=command.request_id, manifest=command.manifest, problem=command.problem[:MAX_REASON_LENGTH]
    )
    after = msgspec.structs.replace(model, refused_runs=model.refused_runs.added(run.request_id, run))
    return Change(Outcome(accepted=False, reason=run.problem), after)


def delete_version(model: ModelState, command: DeleteVersion) -> Change:
    number = command.version
    if model.version(number) is None:
        return refused(f"there is no version {number}")
    held = _held(model, number)
    if held is not None:
        return refused(held, number)
    outcome = Outcome(accepted=True, reason=f"version {number} deleted; its record and its number stay", version=number)
    return Change(outcome, closed(model, number, "deleted", command))


def _held(model: ModelState, number: int) -> str | None:
    """What stands against deleting a version; None: nothing."""
    state = model.state_of(number)
    if state == "deleted":
        return was(model.standings[number])
    aliases = sorted(alias.name for alias in model.aliases.values() if alias.version == number)
    if aliases:
        return f"version {number} is the {' and the '.join(aliases)}: move the alias first"
    if model.canary is not None and model.canary.version == number:
        return f"{model.canary.words()} is under way: end it first"
    if state == "waiting":
        return f"version {number} waits for approval: reject it first"
    return _needed(model, number)


def _needed(model: ModelState, number: int) -> str | None:
    """Which kept version cannot be rebuilt without this one."""
    kept = (v for v in model.versions[number:] if model.state_of(v.version) != "deleted")
    holder = next((v for v in kept if v.pins is not None and v.pins.champion_version == number), None)
    if holder is not None:
        return f"version {holder.version} was pinned and measured while version {number} was champion, and cannot be rebuilt without it"
    return None


def bytes_held(model: ModelState, number: int, runs: Iterable[TrainingStarted]) -> str | None:
    """What stands against removing the stored bytes of a version; None: nothing.

    The pins are looked at again: a run that was under way when the version was deleted may name it as its champion.
    ``runs``: those of the model that started and have not failed. One counts until its version is registered, from then on
    that version does.
    """
    version = model.version(number)
    if version is None or model.state_of(number) != "deleted":
        return f"version {number} is not deleted"
    aliases = sorted(alias.name for alias in model.aliases.values() if alias.version == number)
    if aliases:
        return f"version {number} is the {' and the '.join(aliases)}"
    same = next((v for v in model.versions if v.manifest == version.manifest and model.state_of(v.version) != "deleted"), None)
    if same is not None:
        return f"version {same.version} has the same files"
    registered = {v.request_id for v in model.versions}
    for run in runs:
        if run.model == model.model and run.pins.champion_version == number and run.request_id not in registered:
            return f"the run {run.request_id} was pinned while version {number} was champion, and has not become a version yet"
    return _needed(model, number)
