"""`driftloop lake expire`: snapshots end with the versions that were trained on them."""

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake.durations import duration
from driftloop.cli.output import emit, table
from driftloop.client.changes import Changes

if TYPE_CHECKING:
    from driftloop.lineage.snapshot_expiry import Expiry


@click.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say which would be given up, and change nothing.")
@click.option("--grace", default="30d", show_default=True, help="How long a pin, and a version's deletion, lie back at least.")
@click.option("--reason", default="all that was trained on it is deleted", show_default=True, help="Why; it stays on the record.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def expire(stream: str, dry_run: bool, grace: str, reason: str, as_json: bool) -> None:
    """Give up the snapshots of STREAM that no kept version was trained on, and no run that may still become one.

    Their files are deleted by `lake clean` when nothing else names them. A version whose snapshot is gone cannot be rebuilt.
    """
    found = Changes().expire_snapshots(stream, grace=duration(grace), reason=reason, dry_run=dry_run)
    rows = [{"digest": e.snapshot.digest, "pinned_at": e.snapshot.pinned_at, "held": e.held} for e in found]
    data: dict[str, Any] = {"stream": stream, "dry_run": dry_run, "snapshots": rows}
    emit(data, as_json, lambda console: _render(console, found, dry_run))


def _render(console: Console, found: "list[Expiry]", dry_run: bool) -> None:
    done = "would be given up" if dry_run else "given up"
    cells = ((e.snapshot.digest[:12], e.snapshot.pinned_at, f"kept: {e.held}" if e.held else done) for e in found)
    console.print(table("Snapshots", ("digest", "pinned", "what"), cells))
