"""`driftloop lake compact`: merge small files."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake.progress import table_progress
from driftloop.cli.output import emit, table
from driftloop.client.changes import Changes
from driftloop.errors import IntegrityError

if TYPE_CHECKING:
    from driftloop.lake.maintenance import Compacted


@click.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say what would be merged first, and change nothing.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def compact(stream: str, dry_run: bool, as_json: bool) -> None:
    """Merge the small files of STREAM's tables, down to few large ones. The old files stay until `lake clean` deletes them."""
    with table_progress("merging") as progress:
        done = Changes().compact(stream, dry_run=dry_run, on_progress=progress)
    emit({"stream": stream, "dry_run": dry_run, "tables": done}, as_json, lambda console: _render(console, done))
    damaged = [reason for each in done for reason in each.damaged]
    if damaged:
        raise IntegrityError(f"files left as they are, because they are damaged: {len(damaged)}; the first: {damaged[0]}")


def _render(console: Console, done: "list[Compacted]") -> None:
    columns = ("table", "files before", "files after", "merged", "rows", "bytes", "version")
    cells = ((d.table, d.files_before, d.files_after, d.replaced, d.rows, d.bytes, d.version) for d in done)
    title = "Would be merged" if any(d.dry_run for d in done) else "Merged"
    console.print(table(title, columns, cells))
