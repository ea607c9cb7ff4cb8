"""What changes a model in the registry: each call is a record in its log, with who and why, and is done once."""

import getpass
from typing import Any

import msgspec

from driftloop.client.arguments import checked_name
from driftloop.client.models import RegisteredModel, model
from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.errors import UserError
from driftloop.registry.records import CHALLENGER

REPEAT_SECONDS = 2.0


class Changed(Part, frozen=True, kw_only=True):
    """What the registry answered: version and epoch of the alias after it."""

    command_id: str
    accepted: bool
    reason: str
    version: int | None
    epoch: int | None
    waiting: bool


def promote(registry: RegistryClient, name: str, version: int, reason: str, *, alias: str, expected_epoch: int | None) -> Changed:
    """Point the alias at ``version``, whatever the gate said; refused if its epoch is not the expected one, by default that of now."""
    path = f"/models/{checked_name(name)}/aliases/{checked_name(alias)}"
    epoch = expected_epoch
    if epoch is None:
        known = model(registry, name).aliases.get(alias)
        epoch = known.epoch if known is not None else 0
    return _change(registry, path, {"version": version, "expected_epoch": epoch}, reason)


def shadow(registry: RegistryClient, name: str, version: int | None, reason: str) -> Changed:
    """Let ``version`` answer for the champion's rows, beside it, until the champion moves; None: nobody."""
    found = model(registry, name)
    champion = found.champion
    if champion is None:
        raise UserError(f"{name} has no champion yet: there is nothing to answer beside")
    if version == champion:
        raise UserError(f"version {version} is champion of {name} itself; to have nobody beside it: driftloop models shadow {name} --stop")
    if version is not None:
        _refuse_without_artifact(found, version, "so it can answer for nothing")
    known = found.aliases.get(CHALLENGER)
    return promote(
        registry,
        name,
        champion if version is None else version,
        reason,
        alias=CHALLENGER,
        expected_epoch=0 if known is None else known.epoch,
    )


def move_canary(registry: RegistryClient, name: str, move: str, version: int | None, reason: str) -> Changed:
    """``begin`` with a version, or ``next`` or ``end`` of the canary that is under way. ``Changed.epoch`` is the record's."""
    return _change(registry, f"/models/{checked_name(name)}/canary", {"move": move, "version": version}, reason)


def take_over(registry: RegistryClient, name: str, version: int | None, reason: str) -> Changed:
    """Answer for another system from now on, with ``version``, by default the newest that the gate has agreed to and that waits."""
    known = model(registry, name)
    champion = next((each for each in known.versions if each.version == known.champion), None)
    if champion is not None and not champion.served_elsewhere:
        raise UserError(f"{name} is served by driftloop already: version {champion.version} answers")
    if version is not None:
        _refuse_without_artifact(
            known, version, f"so it cannot take over; what gives the answering back is driftloop models rollback {name}"
        )
        return promote(registry, name, version, reason, alias="champion", expected_epoch=known.champion_epoch)
    agreed = [number for number in known.waiting if _measured_against(known, number)]
    if not agreed:
        raise UserError(
            f"no version of {name} that driftloop has trained waits to take over: ask for one with driftloop retrain {name}, or name one "
            "that the gate has not agreed to with --version"
        )
    return approve(registry, name, max(agreed), reason)


def _refuse_without_artifact(known: RegisteredModel, number: int, so: str) -> None:
    if any(version.version == number and version.served_elsewhere for version in known.versions):
        raise UserError(f"version {number} of {known.model} is served elsewhere, and there is no artifact of it here, {so}")


def _measured_against(known: RegisteredModel, number: int) -> bool:
    """Whether the version that waits was measured against the champion of now."""
    standing = next((version.standing for version in known.versions if version.version == number), None)
    return standing is not None and standing.champion_epoch == known.champion_epoch


def roll_back(registry: RegistryClient, name: str, to: int | None, reason: str, *, alias: str, expected_epoch: int | None) -> Changed:
    """Point the alias at the version before the present one, or at ``to``: a new epoch."""
    path = f"/models/{checked_name(name)}/aliases/{checked_name(alias)}/rollback"
    return _change(registry, path, {"to": to, "expected_epoch": expected_epoch}, reason)


def recalibrate(
    registry: RegistryClient, name: str, recalibration: Recalibration | None, reason: str, *, expected_epoch: int | None
) -> Changed:
    """Correct the champion's answers by these numbers from now on; None: no longer. ``Changed.epoch`` is the record's."""
    path = f"/models/{checked_name(name)}/recalibrations"
    return _change(registry, path, {"recalibration": msgspec.to_builtins(recalibration), "expected_epoch": expected_epoch}, reason)


def recalibrate_as(registry: RegistryClient, name: str, to: int, reason: str, *, expected_epoch: int | None) -> Changed:
    """Correct them as the record of epoch ``to`` did, which corrected the same version's answers."""
    path = f"/models/{checked_name(name)}/recalibrations"
    return _change(registry, path, {"to": to, "expected_epoch": expected_epoch}, reason)


def approve(registry: RegistryClient, name: str, version: int, reason: str) -> Changed:
    """Make a version that waits for approval champion; refused if the champion has moved since it was measured."""
    return _change(registry, _version_path(name, version, "approve"), {}, reason)


def reject(registry: RegistryClient, name: str, version: int, reason: str) -> Changed:
    """Say no to a version that waits for approval."""
    return _change(registry, _version_path(name, version, "reject"), {}, reason)


def delete(registry: RegistryClient, name: str, version: int, reason: str) -> Changed:
    """Give a version up for good; its record and its number stay. Refused while anything needs it."""
    return _change(registry, _version_path(name, version, "delete"), {}, reason)


def _version_path(name: str, version: int, verb: str) -> str:
    return f"/models/{checked_name(name)}/versions/{version}/{verb}"


def _change(registry: RegistryClient, path: str, body: dict[str, Any], reason: str) -> Changed:
    """Raises UserError with the registry's words when it refuses, TransientError when its answer stays unknown."""
    try:
        reason.encode()
    except UnicodeEncodeError as exc:
        raise UserError("the reason is not readable text in this terminal's encoding") from exc
    said = {**body, "reason": reason, "actor": getpass.getuser()}
    return msgspec.convert(registry.change(path, said), type=prepared(Changed))
