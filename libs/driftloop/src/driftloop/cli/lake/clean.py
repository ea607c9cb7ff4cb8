"""`driftloop lake clean`: mark and delete files that nobody names."""

from typing import Any

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake.durations import duration
from driftloop.cli.lake.progress import table_progress
from driftloop.cli.output import emit, table
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.lake.vacuum import DEFAULT_GRACE, Candidates


@click.command("clean")
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
    patience = duration(grace)
    if dry_run:
        rows = [_would(stream, name, found) for name, found in Client().vacuum_plan(stream, grace=patience).items()]
    else:
        with table_progress("cleaning") as progress:
            cleaned = Changes().vacuum(stream, grace=patience, on_progress=progress)
        rows = [{"table": name, **done._asdict()} for name, done in cleaned.items()]
    data = {"stream": stream, "dry_run": dry_run, "grace_seconds": patience.total_seconds(), "tables": rows}
    emit(data, as_json, lambda console: _render(console, rows, dry_run))


def _would(stream: str, name: str, found: Candidates) -> dict[str, Any]:
    files = [
        {"path": f.key.removeprefix(f"lake/{stream}/{name}/"), "bytes": f.size, "action": action}
        for action, some in (("mark", found.dead), ("delete", found.due))
        for f in some
    ]
    would = {"marked": len(found.dead), "deleted": len(found.due), "waiting": found.waiting, "foreign": found.foreign}
    return {"table": name, **would, "bytes": sum(f.size for f in found.due), "files": files}


def _render(console: Console, rows: list[dict[str, Any]], dry_run: bool) -> None:
    columns = ("table", "marked", "deleted", "bytes", *(("waiting", "foreign") if dry_run else ("kept",)))
    console.print(table("Would be done" if dry_run else "Cleaned", columns, ([row[c] for c in columns] for row in rows)))
    for row in rows:
        for file in row.get("files", ()):
            console.print(f"  {file['action']} {row['table']}/{file['path']} ({file['bytes']} bytes)", highlight=False)
