"""`driftloop lake expire`: snapshots end with the versions that were trained on them."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake_tables import checked_stream, duration
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.cli.trained_models import trained_models
from driftloop.datasets.expiry import Expiry, expiries
from driftloop.datasets.snapshots import stored_snapshots
from driftloop.lake.snapshot_end import give_up
from driftloop.registry.records import ApprovalStatus

REASON = "all that was trained on it is deleted"


@click.command()
@click.argument("stream")
@click.option("--dry-run", is_flag=True, help="Say which would be given up, and change nothing.")
@click.option("--grace", default="30d", show_default=True, help="How long a pin, and a version's deletion, lie back at least.")
@click.option("--reason", default=REASON, show_default=True, help="Why; it stays on the record.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def expire(stream: str, dry_run: bool, grace: str, reason: str, as_json: bool) -> None:
    """Give up the snapshots of STREAM that no kept version was trained on, and no run that may still become one.

    Their files are deleted by `lake clean` when nothing else names them. A version whose snapshot is gone cannot be rebuilt.
    """
    stack, before = current_stack(), datetime.now(UTC) - duration(grace)
    store = MinioObjectStore(stack.s3)
    stored = stored_snapshots(store, checked_stream(stream))
    found = expiries(stored, trained_models(stack), _deleted(RegistryClient(stack.registry_url)), before=before)
    for each in found:
        if each.held is None and not dry_run:
            give_up(store, stream, each.snapshot.digest, by=getpass.getuser(), reason=reason, at=datetime.now(UTC))
    rows = [{"digest": e.snapshot.digest, "pinned_at": e.snapshot.pinned_at, "held": e.held} for e in found]
    data: dict[str, Any] = {"stream": stream, "dry_run": dry_run, "snapshots": rows}
    emit(data, as_json, lambda console: _render(console, found, dry_run))


def _deleted(registry: RegistryClient) -> dict[tuple[str, int], datetime]:
    """When each deleted version was deleted, by model and number."""
    versions = [version for model in registry.get("/models") for version in registry.get(f"/models/{model['model']}")["versions"]]
    standings = [msgspec.convert(version["standing"], ApprovalStatus) for version in versions if version["standing"]]
    return {(s.model, s.version): s.since for s in standings if s.state == "deleted"}


def _render(console: Console, found: Sequence[Expiry], dry_run: bool) -> None:
    done = "would be given up" if dry_run else "given up"
    cells = ((e.snapshot.digest[:12], e.snapshot.pinned_at, f"kept: {e.held}" if e.held else done) for e in found)
    console.print(table("Snapshots", ("digest", "pinned", "what"), cells))
