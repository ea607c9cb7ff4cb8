"""`driftloop models clean`: remove the bytes of deleted versions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from driftloop.cli.context import current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.model_changes import as_json_option, registry_client
from driftloop.cli.model_state import model_state
from driftloop.cli.output import emit, say, table
from driftloop.contracts.events import Event
from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError


@click.command("clean")
@click.argument("name")
@click.option("--grace", default="1h", show_default=True, help="How long a version has been deleted, at least.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@as_json_option
@one_line_errors
def clean_models(name: str, grace: str, dry_run: bool, as_json: bool) -> None:
    """Remove model file and profile of NAME's deleted versions that nothing needs any more.

    The pins of all runs and versions are looked at again first. Manifest, card and lineage stay, so that `driftloop trace` can be followed.
    """
    from driftloop.adapters.s3 import MinioObjectStore
    from driftloop.lineage.model_bytes import deleted_versions, remove, unfailed_runs

    try:
        before = datetime.now(UTC) - parse_duration(grace)
    except (ValueError, OverflowError) as exc:
        raise UserError(f"--grace {grace[:80]!r}: {exc}") from exc
    stack = current_stack()
    store = MinioObjectStore(stack.s3)
    runs = unfailed_runs(_runs(stack.kafka_bootstrap))  # before the registry: a run that ends in between is then a version there
    found = deleted_versions(store, model_state(registry_client(), name), runs, before=before)
    if not dry_run:
        remove(store, found)
    rows = [{"version": d.version, "held": d.held, "bytes": d.bytes, "keys": list(d.keys)} for d in found]
    emit({"model": name, "dry_run": dry_run, "versions": rows}, as_json, lambda console: _show(console, rows, dry_run))


def _runs(bootstrap: str) -> Iterator[Event]:
    from driftloop.adapters.kafka import stream_topic
    from driftloop.contracts.codec import decode_event
    from driftloop.contracts.topics import TRAINING_RUNS
    from driftloop.errors import InvalidMessage

    for record in stream_topic(bootstrap, TRAINING_RUNS):
        try:
            yield decode_event(record.value, record.headers)[0]
        except InvalidMessage as exc:
            say(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {exc}", err=True)


def _show(console: Console, rows: list[dict[str, Any]], dry_run: bool) -> None:
    done = "would be removed" if dry_run else "removed"
    cells = ([row["version"], f"{row['bytes']:,}", f"kept: {row['held']}" if row["held"] else done] for row in rows)
    console.print(table("bytes of deleted versions", ["version", "bytes", "what"], cells))
