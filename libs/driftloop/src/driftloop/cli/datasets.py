"""`driftloop datasets`: the tables of the lake, and the snapshots that models were trained on."""

from typing import Any

import click
import msgspec

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.datasets_changes import diff, verify
from driftloop.cli.datasets_export import export
from driftloop.cli.datasets_tables import render_list, render_snapshot, render_tables
from driftloop.cli.errors import one_line_errors
from driftloop.cli.file_use import show_file
from driftloop.cli.output import emit
from driftloop.cli.registry_client import RegistryClient
from driftloop.cli.trained_models import trained_models
from driftloop.contracts.events import TABLES
from driftloop.contracts.names import is_name
from driftloop.datasets.diff_inputs import open_table, table_ref
from driftloop.datasets.snapshots import find_snapshot, schema_of, stored_snapshots
from driftloop.datasets.trained import TrainedOn
from driftloop.datasets.versions import newest_versions, summary
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.snapshot import Snapshot, load_snapshot
from driftloop.lake.table import LakeTable


@click.group()
def datasets() -> None:
    """Versions of the data in the lake."""


for command in (diff, verify, export):
    datasets.add_command(command)


@datasets.command("list")
@click.argument("stream", required=False)
@click.option("--limit", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How many of each table's newest versions.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def list_datasets(stream: str | None, limit: int, as_json: bool) -> None:
    """Show the tables of STREAM, or of every stream, their newest versions, and the snapshots with who was trained on them."""
    stack = current_stack()
    store = MinioObjectStore(stack.s3)
    stored = stored_snapshots(store)
    streams = _streams(stack, stream, {s.stream for s in stored})
    trained = trained_models(stack)
    tables = [t for name in streams for table_name in TABLES if (t := _opened(stack, name, table_name))]
    summaries = [summary(t) for t in tables]
    versions = [newest_versions(t, limit) for t in tables]
    snapshots = [_snapshot_row(load_snapshot(store, s.stream, s.digest), s.pinned_at, trained) for s in stored if s.stream in streams]
    data = {
        "tables": [msgspec.to_builtins(s) | {"versions": msgspec.to_builtins(v)} for s, v in zip(summaries, versions, strict=True)],
        "snapshots": snapshots,
    }
    emit(data, as_json, lambda console: render_list(console, summaries, versions, snapshots))


@datasets.command()
@click.argument("ref")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many versions of a table.")
@click.option("--file", "is_file", is_flag=True, help="REF is a data file: show which models, and which predictions, used it.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def show(ref: str, limit: int, is_file: bool, as_json: bool) -> None:
    """Show what REF covers: the snapshot whose digest begins so, or the table STREAM/TABLE or STREAM/TABLE@VERSION.

    With --file, REF is a file's key, path or the beginning of its sha256.
    """
    stack = current_stack()
    if is_file:
        return show_file(stack, ref, as_json)
    named = table_ref(ref)
    if named is not None:
        opened = open_table(stack.s3, named)
        found, versions = summary(opened), newest_versions(opened, 1 if named.version is not None else limit)
        data = msgspec.to_builtins(found) | {"versions": msgspec.to_builtins(versions)}
        return emit(data, as_json, lambda console: render_tables(console, [found], [versions]))
    store = MinioObjectStore(stack.s3)
    stream, digest = find_snapshot(store, ref)
    snapshot = load_snapshot(store, stream, digest)
    schema, trained = schema_of(store, snapshot), trained_models(stack).get(digest, [])
    data = msgspec.to_builtins(snapshot) | {
        "digest": digest,
        "rows": snapshot.rows,
        "split": msgspec.to_builtins(snapshot.content.split),
        "schema": msgspec.to_builtins(schema),
        "trained": msgspec.to_builtins(trained),
    }
    return emit(data, as_json, lambda console: render_snapshot(console, digest, snapshot, trained))


def _streams(stack: StackInfo, stream: str | None, with_snapshots: set[str]) -> list[str]:
    if stream is not None and not is_name(stream):
        raise UserError(f"{stream[:80]!r} is no stream's name: lower-case letters, digits and hyphens")
    registered = {m["project"]["stream"] for m in RegistryClient(stack.registry_url).get("/models") if m.get("project")}
    known = sorted(registered | with_snapshots)
    if stream is not None and stream not in known:
        raise UserError(
            f"no stream {stream!r} is known; there is {', '.join(known) or 'none: register a project with driftloop up --project DIR'}"
        )
    return known if stream is None else [stream]


def _opened(stack: StackInfo, stream: str, name: Any) -> LakeTable | None:
    try:
        return LakeTable.open(stack.s3, stream, name)
    except ObjectNotFound:  # nothing was ingested yet
        return None


def _snapshot_row(snapshot: Snapshot, pinned_at: Any, trained: dict[str, list[TrainedOn]]) -> dict[str, Any]:
    content = snapshot.content
    return {
        "stream": content.stream,
        "digest": snapshot.digest,
        "start": content.start,
        "end": content.end,
        "rows": snapshot.rows,
        "files": len(snapshot.files),
        "pinned_at": pinned_at,
        "schema_fingerprint": content.schema_fingerprint,
        "ranges": msgspec.to_builtins(content.ranges),
        "split": msgspec.to_builtins(content.split),
        "trained": msgspec.to_builtins(trained.get(snapshot.digest, [])),
    }
