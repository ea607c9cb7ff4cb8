"""`driftloop datasets show`: what a table or a snapshot covers; which models, and which predictions, used a file."""

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.client import Client

if TYPE_CHECKING:
    from driftloop.client.datasets import SnapshotDetails
    from driftloop.lineage.file_use import FileUse


@click.command()
@click.argument("ref")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many versions of a table.")
@click.option("--file", "is_file", is_flag=True, help="REF is a data file: show which models, and which predictions, used it.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def show(ref: str, limit: int, is_file: bool, as_json: bool) -> None:
    """Show what REF covers: the snapshot whose digest begins so, or the table STREAM/TABLE or STREAM/TABLE@VERSION.

    With --file, REF is a file's key, path or the beginning of its sha256.
    """
    if is_file:
        return _file(ref, as_json)
    from driftloop.cli.datasets.tables import render_snapshot, render_tables
    from driftloop.datasets.diff_inputs import table_ref

    if table_ref(ref) is not None:
        found = Client().table(ref, limit=limit)
        return emit(found, as_json, lambda console: render_tables(console, [found]))
    snapshot = Client().snapshot(ref)
    return emit(_as_json(snapshot), as_json, lambda console: render_snapshot(console, snapshot))


def _as_json(found: "SnapshotDetails") -> dict[str, Any]:
    snapshot = found.snapshot
    shown: dict[str, Any] = msgspec.to_builtins(snapshot)
    return shown | {
        "digest": found.digest,
        "rows": snapshot.rows,
        "split": msgspec.to_builtins(snapshot.content.split),
        "schema": msgspec.to_builtins(found.schema),
        "trained": msgspec.to_builtins(found.trained),
    }


def _file(ref: str, as_json: bool) -> None:
    """Exit code 1 when the stored bytes are not those that were pinned."""
    found = Client().file_use(ref)
    emit(found, as_json, lambda console: _show_file(console, found))
    if found.problem is not None:
        sys.exit(1)


def _show_file(console: Console, found: "FileUse") -> None:
    console.print(f"{found.stream}/{found.table}/{found.path}: {found.rows:,} rows, sha256 {found.sha256}", highlight=False, soft_wrap=True)
    console.print(f"✗ {found.problem}" if found.problem else "✓ hashed again", highlight=False, soft_wrap=True)
    if found.holds:
        by = {version: "no model" if version == "None" else f"version {version}" for version in found.holds}
        console.print(f"its rows were scored: {', '.join(f'{rows:,} by {by[v]}' for v, rows in found.holds.items())}", highlight=False)
    rows = ([v.model, v.version, v.snapshot[:12], f"{v.predictions:,}"] for v in found.versions)
    title = f"pinned by {len(found.snapshots)} snapshots; versions trained on it"
    console.print(table(title, ["model", "version", "snapshot", "predictions"], rows))
