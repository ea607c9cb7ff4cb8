"""`driftloop datasets`: the tables of the lake, and the snapshots that models were trained on."""

from typing import Any

import click
import msgspec
from rich.console import Console

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.output import emit, table
from driftloop.cli.registry_client import RegistryClient
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.snapshot import Snapshot, load_snapshot
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore

SHOWN_DIGITS = 12


@click.group()
def datasets() -> None:
    """Versions of the data in the lake."""


@datasets.command("list")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def list_datasets(as_json: bool) -> None:
    """Show each stream's tables and its snapshots."""
    stack = current_stack()
    store = MinioObjectStore(stack.s3)
    streams = sorted({m["project"]["stream"] for m in RegistryClient(stack.registry_url).get("/models") if m.get("project")})
    data = {
        "tables": [row for stream in streams for name in ("inferences", "labels") if (row := _table(stack, stream, name))],
        "snapshots": [row for stream in streams for row in _snapshots(store, stream)],
    }
    emit(data, as_json, lambda console: _render_list(console, data))


@datasets.command()
@click.argument("digest")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def show(digest: str, as_json: bool) -> None:
    """Show the snapshot whose digest begins with DIGEST: what it covers and the files it was pinned from."""
    store = MinioObjectStore(current_stack().s3)
    stream, found = find_snapshot(store, digest)
    snapshot = load_snapshot(store, stream, found)
    data = {"digest": found, **msgspec.to_builtins(snapshot)}
    emit(data, as_json, lambda console: _render_snapshot(console, found, snapshot))


def _table(stack: StackInfo, stream: str, name: str) -> dict[str, Any] | None:
    try:
        opened = LakeTable.open(stack.s3, stream, name)
    except ObjectNotFound:  # nothing was ingested yet
        return None
    files = opened.files()
    marks = opened.watermarks().values()
    return {
        "stream": stream,
        "table": name,
        "version": opened.version,
        "rows": sum(f.rows for f in files),
        "files": len(files),
        "bytes": sum(f.size for f in files),
        "event_time_min": min((f.event_time_min for f in files), default=None),
        "event_time_max": max((f.event_time_max for f in files), default=None),
        "watermark": min(marks, default=None),
        "cursors": opened.cursors(),
    }


def _snapshots(store: ObjectStore, stream: str) -> list[dict[str, Any]]:
    rows = []
    for found in sorted(store.list(f"snapshots/{stream}/"), key=lambda f: f.modified):
        digest = _digest(found.key)
        snapshot = load_snapshot(store, stream, digest)
        content = {"stream": stream, "digest": digest, "start": snapshot.content.start, "end": snapshot.content.end}
        rows.append({**content, "rows": snapshot.rows, "files": len(snapshot.files), "pinned_at": found.modified})
    return rows


def find_snapshot(store: ObjectStore, prefix: str) -> tuple[str, str]:
    """Stream and digest of the only snapshot whose digest begins so."""
    found = [f.key for f in store.list("snapshots/") if _digest(f.key).startswith(prefix)]
    if len(found) != 1 or not prefix:
        raise UserError(f"{len(found)} snapshots have a digest that begins with {prefix!r}; see `driftloop datasets list`")
    stream = found[0].split("/")[1]
    return stream, _digest(found[0])


def _digest(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _render_list(console: Console, data: dict[str, list[dict[str, Any]]]) -> None:
    columns = ("stream", "table", "version", "rows", "files", "event_time_min", "event_time_max", "watermark")
    console.print(table("Tables", columns, ([row[c] for c in columns] for row in data["tables"])))
    rows = (
        (s["stream"], s["digest"][:SHOWN_DIGITS], s["start"], s["end"], s["rows"]["inferences"], s["rows"]["labels"], s["pinned_at"])
        for s in data["snapshots"]
    )
    console.print(table("Snapshots", ("stream", "digest", "from", "to", "inferences", "labels", "pinned at"), rows))


def _render_snapshot(console: Console, digest: str, snapshot: Snapshot) -> None:
    content = snapshot.content
    console.print(f"snapshot {digest}\nstream {content.stream}, event time {content.start or 'from the beginning'} to {content.end}")
    console.print(f"split by {content.split.key}, salt {content.split.salt!r}; schema {content.schema_fingerprint[:SHOWN_DIGITS]}")
    ranges = ((r.table, r.topic, r.partition, r.start, r.end, r.topic_id) for r in content.ranges)
    console.print(table("Offsets", ("table", "topic", "partition", "from", "to", "topic id"), ranges))
    files = ((f.table, f.rows, f.size, f.path) for f in snapshot.files)
    console.print(table("Files", ("table", "rows", "bytes", "path"), files))
