"""`driftloop lake`: what ingest does by itself now and then, at once and by hand. Safe while ingest runs."""

from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake_expire import expire
from driftloop.cli.lake_gap import accept_gap_command
from driftloop.cli.lake_log import archive
from driftloop.cli.lake_tables import duration, progress_bar, stream_tables
from driftloop.cli.output import emit, table
from driftloop.errors import IntegrityError
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.maintenance import Compacted
from driftloop.lake.maintenance import compact as compact_table
from driftloop.lake.vacuum import DEFAULT_GRACE, clean, look


@click.group()
def lake() -> None:
    """Upkeep of the lake's files. What a snapshot pins stays readable whatever is done here."""


for command in (archive, expire, accept_gap_command):
    lake.add_command(command)


@lake.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say what would be merged first, and change nothing.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def compact(stream: str, dry_run: bool, as_json: bool) -> None:
    """Merge the small files of STREAM's tables, down to few large ones. The old files stay until `lake clean` deletes them."""
    s3 = current_stack().s3
    store = MinioObjectStore(s3)
    done: list[Compacted] = []
    for opened in stream_tables(s3, stream):
        with progress_bar(f"merging {opened.table}") as progress:
            done.append(compact_table(opened, store, CompactionRules(), everything=True, dry_run=dry_run, progress=progress))
    emit({"stream": stream, "dry_run": dry_run, "tables": done}, as_json, lambda console: _render_compacted(console, done))
    damaged = [reason for each in done for reason in each.damaged]
    if damaged:
        raise IntegrityError(f"{len(damaged)} groups of files were left as they are: {damaged[0]}")


@lake.command("clean")
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say what would be marked and deleted, and change nothing.")
@click.option("--grace", default=f"{DEFAULT_GRACE.days}d", show_default=True, help="How long a file stays marked before it is deleted.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def clean_command(stream: str, dry_run: bool, grace: str, as_json: bool) -> None:
    """Mark files that neither STREAM's tables nor any snapshot names; delete those that have been marked for --grace.

    After that, a table's version from before a compaction can no longer be read by its number; snapshots, and reading as
    of an offset or a time, are not affected.
    """
    patience, s3 = duration(grace), current_stack().s3
    store = MinioObjectStore(s3)
    rows: list[dict[str, Any]] = []
    for opened in stream_tables(s3, stream):
        now = datetime.now(UTC)
        if dry_run:
            found = look(opened, store, grace=patience, now=now)
            would = {"marked": len(found.dead), "deleted": len(found.due), "waiting": found.waiting, "foreign": found.foreign}
            files = [
                {"path": f.key.removeprefix(f"{opened.root}/"), "bytes": f.size, "action": action}
                for action, some in (("mark", found.dead), ("delete", found.due))
                for f in some
            ]
            rows.append({"table": opened.table, **would, "bytes": sum(f.size for f in found.due), "files": files})
        else:
            with progress_bar(f"cleaning {opened.table}") as progress:
                done = clean(opened, store, grace=patience, now=lambda: datetime.now(UTC), progress=lambda _, n, of: progress(n, of))
            rows.append({"table": opened.table, **done._asdict()})
    data = {"stream": stream, "dry_run": dry_run, "grace_seconds": patience.total_seconds(), "tables": rows}
    emit(data, as_json, lambda console: _render_cleaned(console, rows, dry_run))


def _render_compacted(console: Console, done: list[Compacted]) -> None:
    columns = ("table", "files before", "files after", "merged", "rows", "bytes", "version")
    cells = ((d.table, d.files_before, d.files_after, d.replaced, d.rows, d.bytes, d.version) for d in done)
    title = "Would be merged" if any(d.dry_run for d in done) else "Merged"
    console.print(table(title, columns, cells))


def _render_cleaned(console: Console, rows: list[dict[str, Any]], dry_run: bool) -> None:
    columns = ("table", "marked", "deleted", "bytes", *(("waiting", "foreign") if dry_run else ("kept",)))
    console.print(table("Would be done" if dry_run else "Cleaned", columns, ([row[c] for c in columns] for row in rows)))
    for row in rows:
        for file in row.get("files", ()):
            console.print(f"  {file['action']} {row['table']}/{file['path']} ({file['bytes']} bytes)", highlight=False)
