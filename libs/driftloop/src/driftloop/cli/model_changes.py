"""The commands of `driftloop models` that change something: each is a record in the registry's log, with who and why."""

import getpass
from typing import Any

import click

from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.cli.registry_client import RegistryClient
from driftloop.contracts.names import is_name
from driftloop.errors import UserError

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_alias = click.option("--alias", default="champion", show_default=True, help="Which alias to move.")
_epoch = click.option("--expected-epoch", type=click.IntRange(0), help="Refuse if the alias has moved since; default: the epoch of now.")
_reason = click.option("--reason", required=True, help="Why; it stays on the record.")
_version = click.argument("version", type=click.IntRange(1))


@click.command()
@click.argument("name")
@_version
@_alias
@_epoch
@_reason
@as_json_option
@one_line_errors
def promote(name: str, version: int, alias: str, expected_epoch: int | None, reason: str, as_json: bool) -> None:
    """Make VERSION of NAME champion by your own decision, whatever the gate said."""
    client, path = registry_client(), f"/models/{checked(name)}"
    epoch = expected_epoch
    if epoch is None:
        epoch = client.get(path)["aliases"].get(checked(alias), {}).get("epoch", 0)
    body = {"version": version, "expected_epoch": epoch}
    _change(
        client, f"{path}/aliases/{checked(alias)}", body, reason, as_json, f"version {{version}} is {alias} of {name} at epoch {{epoch}}"
    )


@click.command()
@click.argument("name")
@click.option("--to", type=click.IntRange(1), help="The version to go back to; default: one step back.")
@_alias
@_epoch
@_reason
@as_json_option
@one_line_errors
def rollback(name: str, to: int | None, alias: str, expected_epoch: int | None, reason: str, as_json: bool) -> None:
    """Go back to the champion before the present one of NAME, or to a version. Repeated, it leads further back.

    The way back is a new epoch: nothing that was recorded goes away.
    """
    path = f"/models/{checked(name)}/aliases/{checked(alias)}/rollback"
    body = {"to": to, "expected_epoch": expected_epoch}
    _change(registry_client(), path, body, reason, as_json, f"version {{version}} is {alias} of {name} again, at epoch {{epoch}}")


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def approve(name: str, version: int, reason: str, as_json: bool) -> None:
    """Make VERSION of NAME, which waits for approval, champion.

    Refused if the champion is no longer the one that it was measured against.
    """
    path = f"/models/{checked(name)}/versions/{version}/approve"
    _change(registry_client(), path, {}, reason, as_json, f"version {{version}} is champion of {name} at epoch {{epoch}}")


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def reject(name: str, version: int, reason: str, as_json: bool) -> None:
    """Say no to VERSION of NAME, which waits for approval."""
    path = f"/models/{checked(name)}/versions/{version}/reject"
    _change(registry_client(), path, {}, reason, as_json, f"version {{version}} of {name} is rejected")


@click.command()
@click.argument("name")
@_version
@_reason
@as_json_option
@one_line_errors
def delete(name: str, version: int, reason: str, as_json: bool) -> None:
    """Give VERSION of NAME up for good. Its record and its number stay.

    Refused while an alias points at it, while it waits for approval, and while a kept version was measured against it.
    """
    path = f"/models/{checked(name)}/versions/{version}/delete"
    _change(registry_client(), path, {}, reason, as_json, f"version {{version}} of {name} is deleted; its record stays")


CHANGES: tuple[click.Command, ...] = (promote, rollback, approve, reject, delete)


def registry_client() -> RegistryClient:
    return RegistryClient(current_stack().registry_url)


def checked(name: str) -> str:
    """A name that may stand in a URL. Raises UserError."""
    if not is_name(name):
        raise UserError(f"{name[:80]!r} is no name: lower-case letters, digits and hyphens")
    return name


def _change(client: RegistryClient, path: str, body: dict[str, Any], reason: str, as_json: bool, done: str) -> None:
    try:
        reason.encode()
    except UnicodeEncodeError as exc:
        raise UserError("the reason is not readable text in this terminal's encoding") from exc
    said = {**body, "reason": reason, "actor": getpass.getuser()}
    outcome = client.change(path, said)
    emit(outcome, as_json, lambda console: console.print(done.format(**outcome), highlight=False))
