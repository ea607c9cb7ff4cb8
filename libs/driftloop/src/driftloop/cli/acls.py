"""`driftloop acls`: who may do what on the broker."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, say, table
from driftloop.client.broker_rights import acl_lines, of_projects, principals, quota_lines, wanted_quotas, wanted_rights
from driftloop.client.changes import Changes
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.broker_rights import GivenRights

_streams = click.argument("streams", nargs=-1)
_users = click.option("--user", "users", multiple=True, metavar="WHO=NAME", help="What a service, cli or applications is called there.")
_projects = click.option(
    "--project", "projects", multiple=True, metavar="DIR", type=click.Path(path_type=Path), help="A project whose stream is meant, too."
)
_quotas = click.option("--quotas", is_flag=True, help="Bounds of bytes a second too.")


@click.group()
def acls() -> None:
    """Rights on a broker that allows nobody by default: they follow from the tables of topics and services."""


@acls.command()
@_streams
@_projects
@_users
@_quotas
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def show(streams: tuple[str, ...], projects: tuple[Path, ...], users: tuple[str, ...], quotas: bool, as_json: bool) -> None:
    """Print what the control topics and those of STREAMS need, as lines for kafka-acls and kafka-configs. Asks no broker."""
    existing = of_projects(projects)
    streams = (*streams, *existing)
    principal, wanted = principals(_named(users)), wanted_rights(streams, existing)
    bounds = wanted_quotas(streams) if quotas else ()
    if as_json:
        return emit({"rights": wanted, "quotas": bounds}, as_json, lambda _: None)
    return say("\n".join([*acl_lines(wanted, principal), *quota_lines(bounds, principal)]))


@acls.command(name="apply")
@_streams
@_projects
@_users
@_quotas
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def apply_rights(streams: tuple[str, ...], projects: tuple[Path, ...], users: tuple[str, ...], quotas: bool, as_json: bool) -> None:
    """Give these rights on the installation's broker; what is there already stays. Needs a user who may alter the cluster."""
    existing = of_projects(projects)
    given = Changes().give_rights((*streams, *existing), users=_named(users), quotas=quotas, existing=existing)
    emit(given, as_json, lambda console: _render(console, given))


def _named(users: tuple[str, ...]) -> dict[str, str]:
    pairs = [user.partition("=") for user in users]
    wrong = next((user for user, (_, _, name) in zip(users, pairs, strict=True) if not name), None)
    if wrong is not None:
        raise UserError(f"--user {wrong}: give WHO=NAME, such as ingest=driftloop-ingest")
    return {who: name for who, _, name in pairs}


def _render(console: Console, given: "GivenRights") -> None:
    rows = ((each.user, each.resource, each.name, each.operation) for each in given.given)
    console.print(table("Given", ("user", "resource", "name", "may"), rows))
    console.print(f"{len(given.given)} rights given, {given.before} were there already, {len(given.quotas)} quotas set")
