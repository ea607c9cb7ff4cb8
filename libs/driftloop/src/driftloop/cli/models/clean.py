"""`driftloop models clean`: remove the bytes of deleted versions."""

from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import as_json_option, tell
from driftloop.cli.output import emit, table
from driftloop.client.changes import Changes
from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError


@click.command("clean")
@click.argument("name")
@click.option("--grace", default="1h", show_default=True, help="How long a version has been deleted, at least.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@as_json_option
@one_line_errors
def clean_models(name: str, grace: str, dry_run: bool, as_json: bool) -> None:
    """Remove the model files of NAME's deleted versions that nothing needs any more.

    The pins of all runs and versions are looked at again first. Manifest, card and lineage stay, so that `driftloop trace` can be followed.
    """
    try:
        before = datetime.now(UTC) - parse_duration(grace)
    except (ValueError, OverflowError) as exc:
        raise UserError(f"--grace {grace[:80]!r}: {exc}") from exc
    found = Changes().remove_deleted(name, before=before, dry_run=dry_run, say=tell)
    rows = [{"version": d.version, "held": d.held, "bytes": d.bytes, "keys": list(d.keys)} for d in found]
    emit({"model": name, "dry_run": dry_run, "versions": rows}, as_json, lambda console: _show(console, rows, dry_run))


def _show(console: Console, rows: list[dict[str, Any]], dry_run: bool) -> None:
    done = "would be removed" if dry_run else "removed"
    cells = ([row["version"], f"{row['bytes']:,}", f"kept: {row['held']}" if row["held"] else done] for row in rows)
    console.print(table("bytes of deleted versions", ["version", "bytes", "what"], cells))
