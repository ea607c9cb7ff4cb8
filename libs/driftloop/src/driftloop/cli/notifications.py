"""`driftloop notifications`: messages to people, what became of them, and a test of the rules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.errors import UserError

if TYPE_CHECKING:
    from driftloop.client.notifications import Notification

project_option = click.option("--project", metavar="NAME", default=None, help="Only this project's.")
json_option = click.option("--json", "as_json", is_flag=True)


@click.group()
def notifications() -> None:
    """Messages to people, as [[notify]] in driftloop.toml asks for them."""


@notifications.command("list")
@project_option
@click.option("--dead", is_flag=True, help="Only those that were given up.")
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="Only so many, the newest.")
@json_option
@one_line_errors
def list_notifications(project: str | None, dead: bool, last: int, as_json: bool) -> None:
    """What was due, the newest last, and what became of it."""
    found = [one for one in Client().notifications(project) if one.state == "dead" or not dead][-last:]
    emit(found, as_json, lambda console: _show(console, found))


@notifications.command()
@click.argument("id", required=False)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
@project_option
@json_option
@one_line_errors
def retry(id: str | None, every: bool, project: str | None, as_json: bool) -> None:
    """Send a dead letter again, or --all of them. ID is what `list` shows, or how it begins."""
    if (id is None) == (not every):
        raise UserError("name one dead letter, or say --all")
    found = Changes().retry_notifications(id=id, project=project)
    emit(
        found,
        as_json,
        lambda console: console.print(f"{len(found)} to be sent again; `driftloop notifications list` says what becomes of it"),
    )


@notifications.command("test")
@project_option
@json_option
@one_line_errors
def send_test(project: str | None, as_json: bool) -> None:
    """Send a test message to each rule and say what became of it."""
    found = Changes().test_notifications(project=project)
    emit(found, as_json, lambda console: _show(console, found))
    if any(one.state != "arrived" for one in found):
        raise UserError("not all have arrived; what is on its way is tried again, and /status of the notifier says why it was not taken")


def _show(console: Console, found: "Sequence[Notification]") -> None:
    columns = ("id", "when", "project", "to", "what", "state", "text")
    console.print(table("Notifications", columns, map(_row, found)))


def _row(one: "Notification") -> tuple[str, ...]:
    what = f"{one.kind} {one.phase}" if one.kind else one.phase
    text = one.text if one.problem is None else f"{one.text} ({one.problem})"
    return one.id, f"{one.time:%Y-%m-%d %H:%M}", one.project, one.to, what, one.state, text
