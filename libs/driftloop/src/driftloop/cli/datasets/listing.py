"""`driftloop datasets list`: tables with their newest versions, and snapshots with who was trained on them."""

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit
from driftloop.client import Client


@click.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How many of each table's newest versions.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def list_datasets(stream: str | None, limit: int, as_json: bool) -> None:
    """Show the tables of STREAM, or of every stream, their newest versions, and the snapshots with who was trained on them."""
    found = Client().datasets(stream, limit=limit)
    from driftloop.cli.datasets.tables import render_list

    emit(found, as_json, lambda console: render_list(console, found))
