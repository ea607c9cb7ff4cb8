"""`driftloop lake archive`: a table's log, as short as its readers need it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake_tables import duration, stream_tables
from driftloop.cli.output import emit, table
from driftloop.lake.log_archive import DEFAULT_KEEP, LogArchived, archive_log


@click.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say what would be archived, and change nothing.")
@click.option("--keep", default=f"{DEFAULT_KEEP.days}d", show_default=True, help="How long an entry stays in the log.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def archive(stream: str, dry_run: bool, keep: str, as_json: bool) -> None:
    """Pack old entries of the logs of STREAM's tables into an archive beside them, a thousand at a time.

    A version from before can then no longer be opened by its number with other tools; its offset ranges, and its rows as of an
    offset or a time, are read as before.
    """
    patience, s3 = duration(keep), current_stack().s3
    store = MinioObjectStore(s3)
    done = [archive_log(opened, store, keep=patience, now=datetime.now(UTC), dry_run=dry_run) for opened in stream_tables(s3, stream)]
    data = {"stream": stream, "dry_run": dry_run, "keep_seconds": patience.total_seconds(), "tables": done}
    emit(data, as_json, lambda console: _render(console, done))


def _render(console: Console, done: Sequence[LogArchived]) -> None:
    columns = ("table", "entries", "checkpoints", "bytes", "archived bytes")
    title = "Would be archived" if any(d.dry_run for d in done) else "Archived"
    console.print(table(title, columns, ((d.table, d.entries, d.checkpoints, d.bytes, d.archived_bytes) for d in done)))
