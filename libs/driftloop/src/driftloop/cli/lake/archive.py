"""`driftloop lake archive`: a table's log, as short as its readers need it."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake.durations import duration
from driftloop.cli.output import emit, table
from driftloop.client.changes import Changes

if TYPE_CHECKING:
    from driftloop.lake.log_archive import LogArchived


@click.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say what would be archived, and change nothing.")
@click.option("--keep", default="7d", show_default=True, help="How long an entry stays in the log.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def archive(stream: str, dry_run: bool, keep: str, as_json: bool) -> None:
    """Pack old entries of the logs of STREAM's tables into an archive beside them, a thousand at a time.

    A version from before can then no longer be opened by its number with other tools; its offset ranges, and its rows as of an
    offset or a time, are read as before.
    """
    patience = duration(keep)
    done = Changes().archive_logs(stream, keep=patience, dry_run=dry_run)
    data = {"stream": stream, "dry_run": dry_run, "keep_seconds": patience.total_seconds(), "tables": done}
    emit(data, as_json, lambda console: _render(console, done))


def _render(console: Console, done: "list[LogArchived]") -> None:
    columns = ("table", "entries", "checkpoints", "bytes", "archived bytes")
    title = "Would be archived" if any(d.dry_run for d in done) else "Archived"
    console.print(table(title, columns, ((d.table, d.entries, d.checkpoints, d.bytes, d.archived_bytes) for d in done)))
