"""`driftloop registry`: the state made again from its log."""

import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option
from driftloop.cli.output import emit, table
from driftloop.client import Client

if TYPE_CHECKING:
    from driftloop.client.registry_rebuild import RebuiltRegistry


@click.group()
def registry() -> None:
    """The registry's state as a whole."""


@registry.command()
@as_json_option
@one_line_errors
def rebuild(as_json: bool) -> None:
    """Fold the log from its beginning into a fresh database and compare it with the live registry's.

    Stops nothing and changes nothing. Exit code 1 if the digests differ.
    """
    found = Client().rebuild_registry()
    emit(found, as_json, lambda console: _compare(console, found))
    if not found.same:
        sys.exit(1)


def _compare(console: Console, found: "RebuiltRegistry") -> None:
    rows = [["live registry", found.live], ["its database", found.live_database], ["rebuilt from the log", found.rebuilt]]
    console.print(table(f"registry at offset {found.offset}", ["state", "digest"], rows))
    console.print("the same" if found.same else "DIFFERENT: keep the log and both databases, and report it")
