"""The JSON that the registry answers with."""

from typing import Any

import msgspec
from fastapi import Response

from driftloop.registry.fold import Alias, ModelState, ModelVersion, Outcome, RegistryState

OFFSET_HEADER = "driftloop-registry-offset"  # the answer holds all commands below it
RETRY_SECONDS = 2
READ: dict[int | str, dict[str, Any]] = {404: {"description": "unknown"}, 422: {"description": "bad input"}, 503: {"description": "later"}}


class Refused(Exception):
    """A call that changes nothing, and why. ``field``: what the caller should look at."""

    def __init__(self, status: int, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.field = status, reason, field


def found(state: RegistryState, name: str) -> ModelState:
    model = state.model(name)
    if model is None:
        raise Refused(404, f"no model {name} is registered", "model")
    return model


def found_version(model: ModelState, number: int) -> ModelVersion:
    """Also a deleted one: its record stays."""
    version = model.version(number)
    if version is None:
        raise Refused(404, f"model {model.model} has no version {number}", "version")
    return version


def answer(content: Any, *, status: int = 200, offset: int | None = None) -> Response:
    headers = {OFFSET_HEADER: str(offset)} if offset is not None else {}
    return Response(msgspec.json.encode(content), status, headers, "application/json")


def refusal(status: int, reason: str, field: str | None = None, **more: Any) -> Response:
    safe = {"error": _printable(reason), **({"field": _printable(field)} if field else {}), **more}
    response = answer(safe, status=status)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def summary_of(model: ModelState) -> dict[str, Any]:
    return {
        "model": model.model,
        "project": model.project,
        "versions": len(model.versions),
        "aliases": dict(model.aliases),
        "champion": model.champion.version if model.champion else None,
        "champion_epoch": model.champion_epoch,
        "waiting": sorted(number for number in model.standings if model.state_of(number) == "waiting"),
        "canary": model.canary,
    }


def model_of(model: ModelState) -> dict[str, Any]:
    versions = [version_of(model, version) for version in model.versions]
    return {
        **summary_of(model),
        "versions": versions,
        "recalibrations": list(model.recalibrations.values()),
        "canaries": list(model.canaries.values()),
    }


def version_of(model: ModelState, version: ModelVersion) -> dict[str, Any]:
    """A version with its standing; null when nobody is asked about it and nobody has ruled it out."""
    known = {name: value for name, value in msgspec.structs.asdict(version).items() if value is not msgspec.UNSET}
    return {**known, "standing": model.standings.get(version.version)}


def recalibrations_of(model: ModelState) -> dict[str, Any]:
    """All records, oldest first, and the one in force; null when the champion's answers are its own."""
    in_force = model.recalibration if model.recalibration_in_force is not None else None
    return {
        "model": model.model,
        "champion": model.champion.version if model.champion else None,
        "champion_epoch": model.champion_epoch,
        "epoch": model.recalibration_epoch,
        "in_force": in_force,
        "recalibrations": list(model.recalibrations.values()),
    }


def alias_of(model: ModelState, alias: Alias) -> dict[str, Any]:
    """An alias with the version it points at: all that a reader needs to fetch the model."""
    version = model.version(alias.version)
    return {
        "model": model.model,
        "alias": alias.name,
        "version": alias.version,
        "epoch": alias.epoch,
        "since": alias.since,
        "manifest": version.manifest if version else None,
        "request_id": version.request_id if version else None,
    }


def outcome_of(command_id: str, outcome: Outcome, state: RegistryState, accepted_status: int) -> Response:
    """201 or 200 for what was accepted, 409 for what the fold refused."""
    content = {
        "command_id": command_id,
        "accepted": outcome.accepted,
        "reason": outcome.reason,
        "version": outcome.version,
        "epoch": outcome.epoch,
        "waiting": outcome.waiting,
    }
    return answer(content, status=accepted_status if outcome.accepted else 409, offset=state.next_offset)


def _printable(text: str) -> str:
    return text[:2000].encode("utf-8", "replace").decode()
