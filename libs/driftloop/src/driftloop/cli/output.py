"""What commands print: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160  # characters; a pipe or a log has no edge at which cells would have to be cut


def emit(data: object, as_json: bool, render: Callable[[Console], None]) -> None:
    """Print ``data`` as one JSON document, or let ``render`` show it to a person."""
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(data), indent=2))
    else:
        render(CleanConsole(width=None if sys.stdout.isatty() else PIPED_WIDTH))


def say(text: str, *, err: bool = False) -> None:
    """Print a line, or several, that may hold what others wrote."""
    click.echo(shown(text), err=err)


def shown(text: str) -> str:
    """What others wrote must not steer a terminal: neither clear it, nor rename it, nor print over what stands there."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


class CleanConsole(Console):
    """Shows text as ``shown`` does; the colours are its own."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(shown(thing) if isinstance(thing, str) else thing for thing in objects), **options)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A plain table; None is shown as a dash. Cells are shown as they are: what others wrote may look like markup, or steer a terminal."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column)
    for row in rows:
        made.add_row(*("–" if cell is None else Text(shown(str(cell))) for cell in row))
    return made
