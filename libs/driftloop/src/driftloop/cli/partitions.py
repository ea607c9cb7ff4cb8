"""`driftloop partitions`: how wide a stream is."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client.changes import Changes

if TYPE_CHECKING:
    from driftloop.client.partitions import GrownTopic


@click.group()
def partitions() -> None:
    """Partitions of a stream's topics: so many members of a service can share its work."""


@partitions.command()
@click.argument("stream")
@click.argument("count", type=int)
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def add(stream: str, count: int, as_json: bool) -> None:
    """Give the topics of STREAM COUNT partitions in all, while it runs. Repeating it does nothing twice; there is no way back."""
    grown = Changes().add_partitions(stream, count)
    emit({"stream": stream, "topics": grown}, as_json, lambda console: _render(console, grown))


def _render(console: Console, grown: "list[GrownTopic]") -> None:
    console.print(table("Partitions", ("topic", "before", "now"), ((each.topic, each.before, each.now) for each in grown)))
