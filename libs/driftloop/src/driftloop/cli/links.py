"""A chain of links as a person reads it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from driftloop.cli.output import table

if TYPE_CHECKING:
    from driftloop.lineage.chain import Link


def show_links(console: Console, links: "Sequence[Link]", title: str) -> None:
    """A line per link: ✓, or ✗ and the reason."""
    rows = [["✓" if link.ok else "✗", link.link, link.what if link.ok else f"{link.what}: {link.reason}"] for link in links]
    console.print(table(title, ["", "link", "what"], rows))
